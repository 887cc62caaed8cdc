// Entry point: open a session or attach to an existing one.

import { ParleyError } from "./errors.js";
import { HTTP } from "./http.js";
import type { Model, NewSessionBody, SessionSummary } from "./schema.js";
import { Session } from "./session.js";

export interface ClientOptions {
  /** An API key or a JWT, which opens sessions. */
  token?: string;
  /** The user for whom an API key acts. */
  user?: string;
  /** Seconds during which a call is retried if the server does not respond, or with 408, 429, 502, 503 or 504. */
  retryTimeout?: number;
  /** Read replies as Server-Sent Events if possible; if false, use long polling. */
  stream?: boolean;
  /**
   * Send tokens in the header `Parley-Token`. `Authorization` is then free for a proxy that asks for a password;
   * only for pages of the server's own origin.
   */
  useTokenHeader?: boolean;
  /** Replaces the global `fetch`. */
  fetch?: typeof fetch;
}

/** Client for one Parley server. */
export class Client {
  readonly #http: HTTP;
  readonly #token: string | undefined;
  readonly #stream: boolean;

  /** Create a client without connecting to the server. Throws a TypeError if the URL is invalid. */
  constructor(baseURL: string | URL, options: ClientOptions = {}) {
    const { token, user, useTokenHeader, retryTimeout = 30, fetch: fetcher = (...args) => fetch(...args) } = options;
    this.#http = new HTTP(baseURL, retryTimeout, fetcher, { token, user, useTokenHeader });
    this.#token = token;
    this.#stream = options.stream ?? true;
  }

  /** Open a new session. key: an idempotency key; the same key returns the same session. */
  async open(params: NewSessionBody = {}, { key }: { key?: string } = {}): Promise<Session> {
    const options = { token: this.#token, body: params, key, expected: "token" };
    const { token, ...fields } = await this.#http.call("POST", "sessions", options);
    return new Session(this.#http, this.#stream, token, fields);
  }

  /** Return the existing session of a token, or of an id. */
  async attach(tokenOrId: string): Promise<Session> {
    const session = this.session(tokenOrId);
    await session.refresh();
    return session;
  }

  /**
   * Return the session of a token without checking that it exists. A client with an API key or a JWT also
   * takes the id of a session.
   */
  session(tokenOrId: string): Session {
    const [id, secret] = tokenOrId.split(".");
    const token = secret ? tokenOrId : this.#token;
    if (!id || !token) throw new ParleyError("invalid_token", "This is not a session token.");
    return new Session(this.#http, this.#stream, token, { id });
  }

  /** Return the existing session of a token, or open a new one if the token is not valid. */
  async attachOrOpen(token: string | null | undefined, params: NewSessionBody = {}): Promise<Session> {
    try {
      return await this.attach(token ?? "");
    } catch (error) {
      if (!(error instanceof ParleyError && error.isGone)) throw error;
      return this.open(params);
    }
  }

  /** Yield the sessions of the user, most recently active first. search: words of their names. */
  async *sessions({ search }: { search?: string } = {}): AsyncGenerator<SessionSummary, void, undefined> {
    let before: string | undefined;
    do {
      const params = { q: search, before };
      const { data, next_before } = await this.#http.call("GET", "sessions", { token: this.#token, params });
      yield* data;
      before = next_before ?? undefined;
    } while (before);
  }

  /** Delete everything of a user: an API key can do that. */
  async deleteUser(user: string): Promise<void> {
    await this.#http.call("DELETE", `users/${encodeURIComponent(user)}`, { token: this.#token });
  }

  /** Fetch the models that sessions can use. */
  async models(): Promise<Model[]> {
    return (await this.#http.call("GET", "models", { token: this.#token })).data;
  }

  /** The server's time: seconds since the epoch. */
  get now(): number {
    return (Date.now() + this.#http.clockOffset) / 1000;
  }
}
