// Calls of the REST API.

import { Backoff } from "./backoff.js";
import { APIConnectionError, APIStatusError } from "./errors.js";

const TIMEOUT = 20_000; // ms; fetch has no timeout, so a dead network would never fail
const HALF_SECOND = 500; // ms that a `Date` header, which has whole seconds, is early on average

export type Params = Record<string, string | number | undefined>;

export interface CallOptions {
  token?: string;
  /** An object, which is sent as JSON, or the content of a file. */
  body?: object | Blob;
  params?: Params;
  /** Idempotency key of a POST. */
  key?: string;
  signal?: AbortSignal;
  /** Milliseconds until the call fails. */
  timeout?: number;
  /** A member that the response must have; another response does not come from Parley. */
  expected?: string;
  /** Whether the response is a file. */
  isFile?: boolean;
}

/** A random key; crypto.randomUUID requires HTTPS or localhost. */
export const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Abort a controller together with a signal, which may have aborted already. Returns a function that stops this. */
export function follow(controller: AbortController, signal?: AbortSignal): () => void {
  const abort = () => controller.abort(signal?.reason);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  return () => signal?.removeEventListener("abort", abort);
}

/** An API key or a JWT, and the user for whom an API key acts. */
export interface Credentials {
  token: string | undefined;
  user: string | undefined;
  /** Send tokens in the header `Parley-Token`. */
  useTokenHeader: boolean | undefined;
}

export class HTTP {
  /** Milliseconds by which the server's clock is ahead. */
  clockOffset = 0;
  readonly retryTimeout: number;
  #baseURL: string;
  #fetch: typeof fetch;
  #credentials: Credentials;

  constructor(baseURL: string | URL, retryTimeout: number, fetcher: typeof fetch, credentials: Credentials) {
    this.#baseURL = `${new URL(baseURL)}`.replace(/\/*$/, "/");
    this.retryTimeout = retryTimeout;
    this.#fetch = fetcher;
    this.#credentials = credentials;
  }

  /** Send a request once and return the response with its body unread. */
  async request(method: string, path: string, { token, body, params = {}, key, signal }: CallOptions): Promise<Response> {
    const url = new URL(path, this.#baseURL);
    for (const [name, value] of Object.entries(params)) if (value !== undefined) url.searchParams.set(name, `${value}`);
    const headers: Record<string, string> = {};
    const { user, useTokenHeader } = this.#credentials;
    if (token && useTokenHeader) headers["Parley-Token"] = token;
    else if (token) headers.Authorization = `Bearer ${token}`;
    if (user && token === this.#credentials.token) headers["Parley-User"] = user;
    if (key) headers["Idempotency-Key"] = key;
    const isBlob = body instanceof Blob;
    if (body) headers["Content-Type"] = isBlob ? "application/octet-stream" : "application/json";
    // A redirect leads to the sign-in page of a proxy. Following it would turn a POST into a GET.
    const init = { method, headers, signal, body: isBlob ? body : body && JSON.stringify(body), redirect: "manual", cache: "no-store" };
    const response = await this.#fetch(url, init as RequestInit).catch(connectionError);
    const date = Date.parse(response.headers.get("Date") ?? "");
    if (date) this.clockOffset = date + HALF_SECOND - Date.now();
    if (!response.ok) throw new APIStatusError(response, (await response.json().catch(() => null))?.error ?? undefined);
    return response;
  }

  /** Make a call once and return the JSON of its response. */
  async callOnce(method: string, path: string, { signal, timeout = TIMEOUT, expected, isFile, ...options }: CallOptions): Promise<any> {
    const controller = new AbortController();
    const unfollow = follow(controller, signal);
    const timer = setTimeout(() => controller.abort(new APIConnectionError()), timeout);
    try {
      const response = await this.request(method, path, { ...options, signal: controller.signal });
      if (isFile) return await response.blob().catch(connectionError);
      return response.status === 204 ? null : await readJSON(response, expected);
    } finally {
      clearTimeout(timer);
      unfollow();
    }
  }

  /** Make a call, with retries. All attempts of a POST share one idempotency key, so it takes effect once. */
  async call(method: string, path: string, options: CallOptions): Promise<any> {
    const backoff = new Backoff(this.retryTimeout);
    const key = method === "POST" ? options.key ?? newKey() : undefined;
    for (;;) {
      try {
        return await this.callOnce(method, path, { ...options, key });
      } catch (error) {
        await backoff.wait(error, options.signal);
      }
    }
  }
}

/** Return the JSON of a response; throw an error if it does not come from Parley. */
async function readJSON(response: Response, expected?: string): Promise<any> {
  if (!hasType(response, "application/json")) throw new APIStatusError(response);
  const members = await response.json().catch(connectionError);
  if (expected && !(expected in Object(members))) throw new APIStatusError(response);
  return members;
}

export const hasType = ({ headers }: Response, type: string): boolean =>
  headers.get("Content-Type")?.startsWith(type) ?? false;

/** Throw a connection error; rethrow the reason of an abort. */
export function connectionError(error: any): never {
  throw error instanceof APIConnectionError || error?.name === "AbortError" ? error : new APIConnectionError(error);
}
