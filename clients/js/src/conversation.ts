// The state of one session: its fields and messages. Only events and snapshots change it; responses
// to calls do not, because they may arrive late.

import type { Changes, Gap, MessageDelta, MessageRated, MessageReasoning, Snapshot, Update } from "./events.js";
import type { Message, MessagePage, Session } from "./schema.js";

/** Whether a message is a reply that has not ended. */
export const isActive = ({ status }: Pick<Message, "status">): boolean => status === "queued" || status === "in_progress";

/** Return the reply with a delta of its text or of its reasoning. */
function grow(reply: Message, type: "text" | "reasoning", delta: string): Message {
  const content = type === "text" ? reply.content + delta : reply.content;
  if (type === "text" && !reply.items) return { ...reply, content };
  const items = reply.items ?? (content ? [{ type: "text" as const, text: content }] : []);
  const last = items.at(-1);
  if (last?.type !== type) return { ...reply, content, items: [...items, { type, text: delta }] };
  return { ...reply, content, items: [...items.slice(0, -1), { type, text: last.text + delta }] };
}

const numberOf = ({ id }: Message) => Number(id.slice("msg_".length));
const inOrder = (messages: Iterable<Message>) => [...messages].sort((one, other) => numberOf(one) - numberOf(other));

/** The messages of a session, kept up to date by the updates of a subscription. */
export class Conversation {
  /** The fields of the session that are known. */
  session: Partial<Session>;
  readonly messages = new Map<string, Message>();
  /** The cursor. */
  seq = 0;
  /** Whether there are older messages, which `addOlder` adds. */
  hasOlder = false;
  /** Whether a snapshot is needed. */
  isStale = true;

  constructor(session: Partial<Session> = {}) {
    this.session = session;
  }

  /** Apply an update. Repeated events are ignored; a missing event makes the state stale. */
  apply(update: Update): void {
    if (update.type === "snapshot") return this.#applySnapshot(update);
    if (update.type === "changes") return this.#applyChanges(update);
    if (update.type === "gap") return this.#handleGap(update);
    if (update.seq <= this.seq) return;
    if ((this.isStale ||= update.seq > this.seq + 1)) return;
    this.seq = update.seq;
    if (update.type === "message.delta" || update.type === "message.reasoning") this.#appendDelta(update);
    if (update.type === "message.rated") this.#rate(update);
    if (update.type === "session.updated") Object.assign(this.session, update.changes);
    if (update.type === "session.reset") this.clear();
    if ("message" in update) this.#putNew(this.#withItems(update.message));
    if ("reply" in update) this.#putNew(update.reply);
  }

  /** Add the page of messages before a message, unless the history was cleared since the request. */
  addOlder(id: string, { data, has_more }: Pick<MessagePage, "data" | "has_more">): void {
    if (!this.messages.has(id)) return;
    this.hasOlder = has_more;
    data.forEach((message) => this.put(message));
  }

  put(message: Message): void {
    this.messages.set(message.id, message);
  }

  clear(): void {
    this.messages.clear();
    this.hasOlder = false;
  }

  get ordered(): Message[] {
    return inOrder(this.messages.values());
  }

  /** Replies that are queued or in progress, in order. */
  get activeReplies(): Message[] {
    return this.ordered.filter(isActive);
  }

  // Apply a snapshot with the newest messages. Keep older messages if they are of the same history.
  #applySnapshot({ messages, has_more, ...session }: Snapshot): void {
    if (session.seq < this.seq || !messages.some(({ id }) => this.messages.has(id))) {
      this.clear();
      this.hasOlder = has_more;
    }
    this.isStale = false;
    this.#merge(messages, session);
  }

  // Apply a snapshot with the changed messages only. New or deleted messages require a full snapshot.
  #applyChanges({ messages, ...session }: Changes): void {
    const isUnknown = !messages.length || messages.some(({ id }) => !this.messages.has(id));
    this.isStale = session.seq > this.seq && isUnknown;
    if (!this.isStale) this.#merge(messages, session);
  }

  #merge(messages: Message[], session: Partial<Session> & { seq: number }): void {
    this.session = session;
    this.seq = session.seq;
    messages.forEach((message) => this.put(message));
  }

  // A cursor may be too old for the log. It may also be ahead of it, if Redis lost its latest writes.
  // A snapshot follows.
  #handleGap({ requested, earliest }: Gap): void {
    if (earliest <= requested) this.clear();
  }

  // Add a message, unless it is older than those that are loaded: it is loaded together with its neighbours.
  #putNew(message?: Message): void {
    if (!message) return;
    const oldest = Math.min(...[...this.messages.values()].map(numberOf));
    if (!this.hasOlder || this.messages.has(message.id) || numberOf(message) > oldest) this.put(message);
  }

  #appendDelta({ type, message_id, delta, seq }: MessageDelta | MessageReasoning): void {
    const reply = this.messages.get(message_id);
    if (!reply || seq <= reply.seq) return;
    this.put({ ...grow(reply, type === "message.delta" ? "text" : "reasoning", delta), seq });
  }

  // Events have no items: the reply that ends keeps those of its deltas.
  #withItems(message?: Message): Message | undefined {
    const items = message && !isActive(message) && this.messages.get(message.id)?.items;
    return items ? { ...message, items } : message;
  }

  // The event has the rating only; a comment stays on the server until a snapshot.
  #rate({ message_id, rating, seq }: MessageRated): void {
    const reply = this.messages.get(message_id);
    if (reply) this.put({ ...reply, seq, feedback: rating && { rating, comment: "" } });
  }
}
