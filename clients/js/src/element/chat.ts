// The element's session: opened with the first message, or attached to.

import type { Client } from "../client.js";
import { Conversation, isActive } from "../conversation.js";
import { APIConnectionError, ParleyError } from "../errors.js";
import type { Update } from "../events.js";
import { newKey } from "../http.js";
import type { Message, NewSessionBody } from "../schema.js";
import type { Session } from "../session.js";
import type { Subscription } from "../subscription.js";
import type { TokenStore } from "./credentials.js";

const EVENT_TIMEOUT = 5_000; // ms from a response to its event; then the connection counts as dead

/** A message that the conversation does not contain yet. */
export interface Unsent {
  key: string;
  content: string;
  /** Why it was rejected. */
  error?: ParleyError | undefined;
  /** Its place in the session's log, once it is accepted. */
  seq?: number;
}

export interface ChatOptions {
  /** The token of an existing session. */
  token?: string;
  /** Where the token of a new session is kept. */
  store: TokenStore;
  /** Returns the client that opens sessions. */
  connect(): Promise<Client>;
  client: Client;
  params(): NewSessionBody;
  onChange(): void;
  onSession(session: Session): void;
  onReply(message: Message): void;
  onError(error: ParleyError): void;
  /** The server could not be reached. */
  onUnreachable(): void;
}

export class Chat {
  conversation = new Conversation();
  session: Session | undefined;
  unsent: Unsent[] = [];
  isOffline = false;
  /** Why the session has ended. */
  endReason = "";
  #options: ChatOptions;
  #subscription: Subscription | undefined;
  #running = new Set<string>(); // ids of replies whose end was not reported
  #posted: Unsent | undefined; // the message that is being posted
  #key = newKey(); // of the new session
  #isFlushing = false;
  #isClosed = false;
  #isLoading = false;

  constructor(options: ChatOptions) {
    this.#options = options;
    const token = options.token || options.store.token;
    if (token) this.#attach(options.client.session(token));
  }

  close(): void {
    this.#isClosed = true;
    this.#subscription?.close();
  }

  /** Whether the messages of an existing session are on their way. */
  get isLoading(): boolean {
    return Boolean(this.session) && this.conversation.isStale && !this.endReason;
  }

  /** Whether the element opened the session and may open another. */
  get canRestart(): boolean {
    return !this.#options.token;
  }

  get activeReplies(): Message[] {
    return this.conversation.activeReplies;
  }

  get visibleUnsent(): Unsent[] {
    return this.unsent.filter(({ error, seq = Infinity }) => error || seq > this.conversation.seq);
  }

  send(content: string): void {
    this.unsent.push({ key: newKey(), content });
    void this.#flush();
  }

  resend(key: string): void {
    for (const entry of this.unsent) if (entry.key === key) entry.error = undefined;
    void this.#flush();
  }

  /** Send the rejected messages again. */
  retry(): void {
    for (const entry of this.unsent) entry.error = undefined;
    void this.#flush();
  }

  /** Remove a message that was not sent. */
  discard(key: string): void {
    this.unsent = this.unsent.filter((entry) => entry.key !== key);
    this.#options.onChange();
  }

  async cancel(): Promise<void> {
    const [reply] = this.activeReplies;
    if (reply) await this.#watch(this.session!.cancel(reply.id));
  }

  async regenerate(id: string): Promise<void> {
    await this.#watch(this.session!.regenerate(id).accepted);
  }

  async continue(): Promise<void> {
    await this.#watch(this.session!.continue().accepted);
  }

  async rate(id: string, rating: "up" | "down" | null): Promise<void> {
    await this.#watch(this.session!.rate(id, rating));
  }

  async loadOlder(): Promise<void> {
    const [first] = this.conversation.ordered;
    if (this.#isLoading || !first) return;
    this.#isLoading = true;
    try {
      this.conversation.addOlder(first.id, await this.session!.messages({ before: first.id, order: "desc", limit: 50 }));
      this.#options.onChange();
    } finally {
      this.#isLoading = false;
    }
  }

  #attach(session: Session): void {
    this.session = session;
    this.#options.onSession(session);
    void this.#receive(session);
  }

  async #open(): Promise<void> {
    const client = await this.#options.connect();
    const session = await client.open(this.#options.params(), { key: this.#key });
    this.#options.store.token = session.token;
    if (!this.#isClosed) this.#attach(session);
  }

  async #receive(session: Session): Promise<void> {
    const subscription = session.subscribe({
      pauseWhenHidden: true,
      retryTimeout: Infinity,
      onConnect: () => this.#setOffline(false),
      onDisconnect: () => this.#setOffline(true),
    });
    this.#subscription = subscription;
    try {
      for await (const update of subscription) {
        this.#apply(update);
        if (this.conversation.isStale) subscription.cursor = null;
      }
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      this.#end(error);
    }
  }

  #setOffline(isOffline: boolean): void {
    if (isOffline === this.isOffline) return;
    this.isOffline = isOffline;
    if (isOffline) this.#options.onUnreachable();
    if (isOffline) this.#options.onChange();
    else void this.#flush();
  }

  #apply(update: Update): void {
    if (update.type === "snapshot" || update.type === "changes") update.messages.forEach((each) => this.#match(each));
    else if ("message" in update && update.message) this.#match(update.message);
    this.conversation.apply(update);
    for (const { id } of this.activeReplies) this.#running.add(id);
    for (const id of this.#running) {
      const reply = this.conversation.messages.get(id);
      if (!reply || isActive(reply)) continue;
      this.#running.delete(id);
      this.#options.onReply(reply);
    }
    this.#options.onChange();
  }

  // The event of a posted message often arrives before the response to the POST.
  #match({ role, content, seq }: Message): void {
    const posted = this.#posted;
    if (posted && !posted.seq && role === "user" && content === posted.content && seq > this.conversation.seq) {
      posted.seq = seq;
    }
  }

  // The session has ended. Forget one that the element has opened.
  #end(error: ParleyError): void {
    this.endReason = error.message;
    if (this.canRestart) this.#options.store.token = null;
    const isUnused = this.conversation.isStale;
    if (isUnused && this.canRestart) {
      this.session = undefined;
      this.endReason = "";
      this.conversation.isStale = false;
      void this.#flush();
    } else this.#options.onError(error);
    this.#options.onChange();
  }

  // Post the messages in order. A rejected message does not block those after it.
  async #flush(): Promise<void> {
    for (const entry of this.unsent) if (entry.error?.isRetryable) entry.error = undefined;
    this.#options.onChange();
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    let entry: Unsent | undefined;
    while ((this.#posted = entry = this.unsent.find(({ error, seq }) => !error && !seq)) && !this.#isClosed) {
      await this.#post(entry);
      this.#options.onChange();
    }
    this.#isFlushing = false;
  }

  async #post(entry: Unsent): Promise<void> {
    try {
      if (!this.session) await this.#open();
      const { id, seq } = await this.#watch(this.session!.send(entry.content, { key: entry.key }).accepted);
      entry.seq = seq;
      if (!this.conversation.messages.has(id)) this.#running.add(id);
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      entry.error = error;
      this.#options.onError(error);
      if (error instanceof APIConnectionError) this.#options.onUnreachable();
      // The browser may have used a dead connection; a new one sends the message again.
      if (error instanceof APIConnectionError && this.#subscription) {
        this.isOffline = true;
        this.#subscription.reconnect();
      }
    }
  }

  // Return the result of a call. Its event must arrive soon.
  async #watch<T extends { seq: number }>(call: Promise<T>): Promise<T> {
    const result = await call;
    setTimeout(() => this.conversation.seq < result.seq && this.#subscription?.reconnect(), EVENT_TIMEOUT);
    return result;
  }
}
