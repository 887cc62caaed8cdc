// Which errors are retried, when and for how long.

import { ParleyError } from "./errors.js";

const INITIAL_DELAY = 250; // ms; it doubles, with jitter, so that clients do not retry in lockstep
const MAX_DELAY = 8_000; // ms; `Retry-After` may ask for longer delays

/** Wait for a time, or until the signal aborts. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, milliseconds);
    signal?.addEventListener("abort", wake);
    if (signal?.aborted) wake();
  });
}

/** Exponential backoff, limited to a number of seconds after the last success. */
export class Backoff {
  #retryTimeout: number;
  #delay!: number;
  #deadline!: number;

  constructor(retryTimeout: number) {
    this.#retryTimeout = retryTimeout;
    this.reset();
  }

  reset(): void {
    this.#delay = INITIAL_DELAY;
    this.#deadline = performance.now() + this.#retryTimeout * 1000;
  }

  /** Sleep until the next attempt. Throws the error if it is permanent or the deadline would pass. */
  async wait(error: unknown, signal?: AbortSignal): Promise<void> {
    if (!(error instanceof ParleyError) || !this.#isRetryable(error)) throw error;
    const delay = error.retryAfter * 1000 || this.#delay * (0.5 + Math.random() / 2);
    if (performance.now() + delay > this.#deadline) throw error;
    this.#delay = Math.min(this.#delay * 2, MAX_DELAY);
    await sleep(delay, signal);
  }

  // Without a deadline, only the end of the session is final: a proxy may return any error for a while.
  #isRetryable(error: ParleyError): boolean {
    return error.isRetryable || (this.#retryTimeout === Infinity && !error.isGone);
  }
}
