// Subscribes to a session by event stream, or by long polling if streams do not work. Both continue at
// the cursor, so no update is lost when the transport or the network changes.

import { Backoff, sleep } from "./backoff.js";
import { APIConnectionError, type ParleyError } from "./errors.js";
import type { SessionEvent, Update } from "./events.js";
import { connectionError, hasType, type HTTP } from "./http.js";
import { watchPage } from "./page.js";

const FIRST_BYTE_TIMEOUT = 8_000; // ms; a proxy that buffers responses delays the first byte
const IDLE_TIMEOUT = 40_000; // ms; more than two of the server's heartbeats, or one long poll
const LONG_POLL_WAIT = 25; // seconds; many proxies close idle requests after 30
// Milliseconds; a stream without events that ends earlier than this comes from a proxy that does not support streams.
const SHORT_STREAM = 1_000;
// Milliseconds between two connections: the response to a poll contains the whole text of a growing reply.
const POLL_INTERVAL = 100;

export interface SubscriptionOptions {
  /** The last seq that is known; without it, the subscription starts with a snapshot. */
  after?: number | null;
  /** Seconds without a connection until the subscription fails. Default: that of the client. */
  retryTimeout?: number;
  /** Disconnect while the page is hidden, because browsers limit the connections of a host. */
  pauseWhenHidden?: boolean;
  /** Read event streams if possible; if false, use long polling. */
  stream?: boolean;
  onConnect?(): void;
  /** The connection failed and will be tried again; without an error, the browser is offline. */
  onDisconnect?(error?: ParleyError): void;
}

/** A subscription to one session: iterate over it once to receive the updates. */
export class Subscription implements AsyncIterable<Update> {
  /** Seq of the last update. Set it to `null` to get a snapshot next. */
  cursor: number | null;
  readonly options: SubscriptionOptions;
  #http: HTTP;
  #path: string;
  #token: string;
  #backoff: Backoff;
  #attempt = new AbortController(); // ends the current connection or delay
  #isClosed = false;
  #isPaused = false;
  #wake = () => {};

  constructor(http: HTTP, path: string, token: string, options: SubscriptionOptions) {
    this.cursor = options.after ?? null;
    this.options = options;
    this.#http = http;
    this.#path = path;
    this.#token = token;
    this.#backoff = new Backoff(options.retryTimeout ?? http.retryTimeout);
  }

  /** End the iteration. */
  close(): void {
    this.#isClosed = true;
    this.resume();
    this.reconnect();
  }

  /** Replace the connection, or skip the delay before the next one. */
  reconnect(): void {
    this.#attempt.abort();
  }

  /** Disconnect until `resume` is called. */
  pause(): void {
    this.#isPaused = true;
    this.reconnect();
  }

  resume(): void {
    this.#isPaused = false;
    this.#wake();
  }

  /**
   * Yield updates without end; reconnect after failures.
   *
   * Throws an APIStatusError if the session has ended, and the last error if the server has not
   * responded for `retryTimeout` seconds.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Update, void, undefined> {
    const unwatch = watchPage(this);
    const hasStreams = this.options.stream ?? true;
    let useStream = hasStreams;
    try {
      while (!this.#isClosed) {
        if (this.#isPaused) {
          await this.#untilResumed();
          continue;
        }
        this.#attempt = new AbortController();
        try {
          if (this.cursor === null) {
            yield await this.#snapshot();
            continue;
          }
          if (useStream) yield* this.#stream(this.cursor);
          else yield await this.#poll(this.cursor);
          await sleep(POLL_INTERVAL);
        } catch (error: any) {
          if (this.#isClosed) return;
          if (this.#isPaused || error?.name === "AbortError") continue;
          if (useStream && (error.isBuffered || isUnsupported(error))) {
            useStream = false;
            continue;
          }
          useStream = hasStreams; // the next network may support streams
          await this.#delay(error);
        }
      }
    } finally {
      unwatch();
      this.close();
    }
  }

  async #delay(error: ParleyError): Promise<void> {
    this.#attempt = new AbortController();
    const delay = this.#backoff.wait(error, this.#attempt.signal);
    this.options.onDisconnect?.(error);
    await delay;
  }

  async #untilResumed(): Promise<void> {
    await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#backoff.reset();
  }

  #connected(): void {
    this.#backoff.reset();
    this.options.onConnect?.();
  }

  async #snapshot(): Promise<Update> {
    const session = await this.#get({}, FIRST_BYTE_TIMEOUT);
    return { type: "snapshot", ...session };
  }

  // Yield the events of one stream.
  async *#stream(after: number): AsyncGenerator<SessionEvent> {
    const { signal } = this.#attempt;
    let timer = setTimeout(() => this.#attempt.abort(new Buffered()), FIRST_BYTE_TIMEOUT);
    let isConnected = false;
    const onData = () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.reconnect(), IDLE_TIMEOUT);
      if (!isConnected) this.#connected();
      isConnected = true;
    };
    try {
      const options = { token: this.#token, params: { after }, signal };
      const start = performance.now();
      let hasEvents = false;
      const response = await this.#http.request("GET", `${this.#path}/events`, options);
      if (!hasType(response, "text/event-stream")) throw new Buffered();
      for await (const frame of readFrames(response.body!, onData)) {
        const data = frame.split("\n").find((line) => line.startsWith("data: "));
        if (!data) continue;
        hasEvents = true;
        const event: SessionEvent = JSON.parse(data.slice(6));
        if ("seq" in event) this.cursor = event.seq;
        yield event;
        if (this.cursor === null) return;
      }
      if (!hasEvents && performance.now() - start < SHORT_STREAM) throw new Buffered();
    } finally {
      clearTimeout(timer);
      this.reconnect(); // an early end of the iteration must not leave the connection open
    }
  }

  // Return the changes since the cursor; none at the end of the wait.
  async #poll(after: number): Promise<Update> {
    const start = performance.now();
    const session = await this.#get({ after, wait: LONG_POLL_WAIT }, IDLE_TIMEOUT);
    const isEarly = performance.now() - start < LONG_POLL_WAIT * 500;
    // This server does not support long polling.
    if (session.seq === after && isEarly) await sleep(session.next_poll * 1000, this.#attempt.signal);
    return { type: "changes", ...session };
  }

  async #get(params: Record<string, number>, timeout: number) {
    const { signal } = this.#attempt;
    const session = await this.#http.callOnce("GET", this.#path, { token: this.#token, params, signal, timeout, expected: "seq" });
    this.cursor = session.seq;
    this.#connected();
    return session;
  }
}

class Buffered extends APIConnectionError {
  isBuffered = true;
}

const isUnsupported = ({ status, isGone }: ParleyError) => (status === 404 || status === 405) && !isGone;

// Yield the frames of an event stream.
async function* readFrames(body: ReadableStream<Uint8Array>, onData: () => void): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch(connectionError);
    if (done) return;
    onData();
    const frames = (rest + value).split("\n\n");
    rest = frames.pop()!;
    yield* frames;
  }
}
