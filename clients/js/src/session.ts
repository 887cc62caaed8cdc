// One session: post messages, read history, change settings.

import { isActive } from "./conversation.js";
import type { HTTP, Params } from "./http.js";
import { Reply, type SendOptions } from "./reply.js";
import type * as schema from "./schema.js";
import { Subscription, type SubscriptionOptions } from "./subscription.js";

// The newest messages among which all active replies are, with the default limits of the server.
const MAX_ACTIVE_MESSAGES = 100;
// ms for a file of some megabytes on a slow connection
const FILE_TIMEOUT = 120_000;

/** Query parameters of a page of messages. */
export interface PageParams extends Params {
  before?: string;
  after?: string;
  limit?: number;
  order?: "asc" | "desc";
}

/**
 * A session and its token.
 *
 * Methods that call the server throw an APIStatusError, or an APIConnectionError after retries.
 */
export class Session {
  /** Grants access to the session. It cannot be retrieved later. */
  token: string;
  /** The fields of the last response, if there was one. */
  fields: Partial<schema.Session> & { id: string };
  readonly #http: HTTP;
  readonly #stream: boolean;

  constructor(http: HTTP, stream: boolean, token: string, fields: Partial<schema.Session> & { id: string }) {
    this.#http = http;
    this.#stream = stream;
    this.token = token;
    this.fields = fields;
  }

  get id(): string {
    return this.fields.id;
  }

  /** Post a message, a text or parts, and return its reply without waiting for it. */
  send(content: string | schema.PartBody[], options: SendOptions = {}): Reply {
    return this.#post(typeof content === "string" ? { content } : { parts: content }, options);
  }

  /** Store an image or a file; parts of messages refer to its id. */
  upload(content: Blob, filename = ""): Promise<schema.File> {
    const options = { token: this.token, body: content, params: { filename }, timeout: FILE_TIMEOUT };
    return this.#http.call("POST", `${this.#path}/files`, options);
  }

  /** Download a file of the session. */
  download(fileId: string): Promise<Blob> {
    const options = { token: this.token, isFile: true, timeout: FILE_TIMEOUT };
    return this.#http.call("GET", `${this.#path}/files/${encodeURIComponent(fileId)}`, options);
  }

  /** Request the rest of the last reply, which ended at its maximum length. */
  continue(options: SendOptions = {}): Reply {
    return this.#post({ continue: true }, options);
  }

  /** Request another reply to the last message, given its id or the id of its reply. */
  regenerate(messageId: string, { options, key }: Pick<SendOptions, "options" | "key"> = {}): Reply {
    return this.#newReply(`${messagePath(messageId)}/regenerate`, { options }, key);
  }

  /** Cancel a reply; returns its current state, which may still be `in_progress`. */
  cancel(messageId: string): Promise<schema.Message> {
    return this.#call("POST", `${messagePath(messageId)}/cancel`);
  }

  /** Rate a reply that has ended "up" or "down"; `null` removes the rating. */
  rate(messageId: string, rating: "up" | "down" | null, comment = ""): Promise<schema.Message> {
    const path = `${messagePath(messageId)}/feedback`;
    return rating ? this.#call("POST", path, { rating, comment }) : this.#call("DELETE", path);
  }

  /** Fetch one message. */
  message(messageId: string): Promise<schema.Message> {
    return this.#call("GET", messagePath(messageId));
  }

  /** An existing reply, to read it or the rest of it. */
  reply(messageId: string): Reply {
    return new Reply(this, this.message(messageId));
  }

  /** Fetch one page of messages. */
  messages(params: PageParams = {}): Promise<schema.MessagePage> {
    return this.#call("GET", "/messages", undefined, params);
  }

  /** Yield all messages; fetches one page at a time. */
  async *history({ newestFirst = false } = {}): AsyncGenerator<schema.Message, void, undefined> {
    const params: PageParams = { order: newestFirst ? "desc" : "asc" };
    for (;;) {
      const { data, last_id, has_more } = await this.messages(params);
      yield* data;
      if (!has_more) return;
      params[newestFirst ? "before" : "after"] = last_id!;
    }
  }

  /** Return the newest replies that are queued or in progress, oldest first. */
  async activeReplies(): Promise<Reply[]> {
    const newest: schema.Message[] = [];
    for await (const message of this.history({ newestFirst: true })) {
      if (newest.push(message) === MAX_ACTIVE_MESSAGES) break;
    }
    return newest.reverse().filter(isActive).map((message) => new Reply(this, Promise.resolve(message)));
  }

  /** Fetch the session with its newest messages. */
  async refresh(): Promise<schema.Session> {
    return (this.fields = await this.#call("GET"));
  }

  /** Update fields of the session; `null` resets a field to its default. */
  async update(changes: schema.SessionUpdateBody): Promise<schema.Session> {
    return (this.fields = await this.#call("PATCH", "", changes));
  }

  /** Cancel active replies and clear the history. The session and its token remain valid. */
  async reset(): Promise<schema.Session> {
    return (this.fields = await this.#call("POST", "/reset"));
  }

  /** Replace the token and extend the expiry. The old token stops working. */
  async rotateToken(): Promise<string> {
    return (this.token = (await this.#call("POST", "/token")).token);
  }

  /** Delete the session and all its data; does nothing if it no longer exists. */
  async delete(): Promise<void> {
    await this.#call("DELETE").catch((error) => {
      if (!error.isGone) throw error;
    });
  }

  /** Subscribe to the updates of the session. */
  subscribe(options: SubscriptionOptions = {}): Subscription {
    return new Subscription(this.#http, this.#path, this.token, { stream: this.#stream, ...options });
  }

  get #path(): string {
    return `sessions/${encodeURIComponent(this.id)}`;
  }

  #post(body: object, { onBusy: on_busy, options, deadline, replaces, key }: SendOptions): Reply {
    return this.#newReply("/messages", { ...body, on_busy, options, deadline, replaces }, key);
  }

  #newReply(path: string, body: object, key?: string): Reply {
    return new Reply(this, this.#call("POST", path, body, {}, key).then(({ reply }) => reply));
  }

  #call(method: string, path = "", body?: object, params?: Params, key?: string): Promise<any> {
    return this.#http.call(method, this.#path + path, { token: this.token, body, params, key });
  }
}

const messagePath = (messageId: string) => `/messages/${encodeURIComponent(messageId)}`;
