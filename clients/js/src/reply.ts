// A reply that can be read while the model writes it.

import { isActive } from "./conversation.js";
import { ReplyFailed } from "./errors.js";
import type { Changes, Snapshot, Update } from "./events.js";
import type { Message, OptionsBody } from "./schema.js";
import type { Session } from "./session.js";

const reasoningIn = (items: NonNullable<Message["items"]>): string =>
  items.map(({ type, text }) => (type === "reasoning" ? text : "")).join("");

/** Text that a reply has grown by. Converted to a string, it is the text. */
export class Delta {
  constructor(
    readonly text: string,
    /** The reply was restarted, for example after its worker was lost: discard the text before this delta. */
    readonly isRestart: boolean,
  ) {}

  toString(): string {
    return this.text;
  }
}

/**
 * The reply to one message.
 *
 * Iterate over it to read its text in deltas, from the beginning and as the model writes it. You can
 * stop iterating and start again at any time, also several times at once.
 */
export class Reply implements AsyncIterable<Delta> {
  /** Settles once the server has accepted the message. */
  readonly accepted: Promise<Message>;
  #session: Session;
  #message: Message | undefined;
  #deltas: string[] = [];
  #reasoning = "";
  #cursor = 0;

  constructor(session: Session, message: Promise<Message>) {
    this.#session = session;
    this.accepted = message.then((accepted) => this.#replace(accepted));
  }

  /** The latest known state; undefined until the message is accepted. */
  get message(): Message | undefined {
    return this.#message && { ...this.#message, content: this.partialText };
  }

  /** The text that has been received so far. */
  get partialText(): string {
    return this.#deltas.join("");
  }

  /** The model's reasoning that has been received so far. */
  get reasoning(): string {
    return this.#reasoning;
  }

  /** Wait for the end of the reply and return its text, which is partial if it was cancelled or cut. */
  async text(): Promise<string> {
    for await (const _ of this.updates());
    return this.partialText;
  }

  /** Yield the text: first what has arrived already, then each delta as it arrives. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Delta, void, undefined> {
    let deltas: string[] | undefined;
    let count = 0;
    for await (const _ of this.updates()) {
      const isRestart = Boolean(deltas) && deltas !== this.#deltas;
      if (deltas !== this.#deltas) [deltas, count] = [this.#deltas, 0];
      const text = deltas.slice(count).join("");
      count = deltas.length;
      if (text || isRestart) yield new Delta(text, isRestart);
    }
  }

  /**
   * Yield the message now, and after each change until it has ended.
   *
   * Throws a ReplyFailed if the turn ended without a reply, and the errors of `Subscription`.
   */
  async *updates(): AsyncGenerator<Message, void, undefined> {
    await this.accepted;
    yield this.message!;
    if (isActive(this.#message!)) yield* this.#changes();
    const { status, error } = this.#message!;
    if (status === "failed" || status === "expired") {
      throw new ReplyFailed(error?.code ?? status, error?.message ?? "The turn missed its deadline.");
    }
  }

  /** Stop the reply and keep its partial text. */
  async cancel(): Promise<void> {
    await this.#session.cancel((await this.accepted).id);
  }

  async *#changes(): AsyncGenerator<Message> {
    for await (const update of this.#session.subscribe({ after: this.#cursor })) {
      if (await this.#apply(update)) yield this.message!;
      if (!isActive(this.#message!)) return;
    }
  }

  // Apply an update, unless another iteration has applied it. Returns whether it concerns this reply.
  async #apply(update: Update): Promise<boolean> {
    if (update.type === "snapshot" || update.type === "changes") return this.#applySnapshot(update);
    if (!("message_id" in update) || update.message_id !== this.#message!.id) return false;
    if (update.seq <= this.#cursor) return true;
    if (update.type === "message.restarted") this.#reasoning = "";
    if (update.type === "message.delta") this.#deltas.push(update.delta);
    else if (update.type === "message.reasoning") this.#reasoning += update.delta;
    else if ("reply" in update) this.#replace(update.reply);
    else if ("message" in update) this.#replace(update.message);
    this.#cursor = update.seq;
    return true;
  }

  // Apply a snapshot, which omits messages that are unchanged, deleted or too old.
  async #applySnapshot(snapshot: Snapshot | Changes): Promise<boolean> {
    const { id } = this.#message!;
    const found = snapshot.messages.find((message) => message.id === id);
    // A poll has all messages that have changed, a snapshot in an event stream the newest only.
    const isTooOld = snapshot.type === "snapshot" && snapshot.has_more;
    if (found) this.#read(found);
    else if (snapshot.status === "idle" || isTooOld) this.#read(await this.#session.message(id));
    return true;
  }

  // Store a message with its items, which those of events do not have.
  #read(message: Message): void {
    this.#reasoning = reasoningIn(message.items ?? []);
    this.#replace(message);
  }

  // Store the new state of the message, and the new part of its text.
  #replace(message: Message): Message {
    const before = this.partialText;
    const { content } = message;
    if (content.startsWith(before)) this.#deltas.push(content.slice(before.length));
    else this.#deltas = [content];
    this.#message = message;
    this.#cursor = message.seq;
    return message;
  }
}

/** Options of a message. */
export interface SendOptions {
  /** What happens while another reply has not ended. Default: `enqueue`. */
  onBusy?: "enqueue" | "reject" | "interrupt";
  /** Options of the model: max_tokens, temperature, top_p, stop, seed. */
  options?: OptionsBody;
  /** Id of the last turn's message, of which the new one is an edited version. */
  replaces?: string;
  /** Seconds until the turn expires. */
  deadline?: number;
  /** Idempotency key: a message with the same key and content is posted once. Default: a random key. */
  key?: string;
}
