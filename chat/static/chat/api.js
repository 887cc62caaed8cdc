// Calls of the REST API. Failures are ApiErrors; their messages are for users.

const MAX_ATTEMPTS = 5;
const TIMEOUT = 20_000; // ms; fetch has no timeout, so a dead network would never fail
const UNREACHABLE = "Could not reach the server.";

let clockOffset = 0; // milliseconds by which the server's clock is ahead

export class ApiError extends Error {
  constructor(code, message, { status = 0, retryAfter = 0 } = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter; // seconds
  }

  get isRetryable() {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }

  // Whether the token is invalid or the session no longer exists.
  get isGone() {
    return this.status === 401 || this.code === "session_not_found";
  }
}

export const serverNow = () => (Date.now() + clockOffset) / 1000;

// crypto.randomUUID requires HTTPS or localhost.
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");

// signal: aborts the request and the reading of its response. Default: a timeout.
export async function request(method, path, { token, body, key, signal = withTimeout(TIMEOUT) } = {}) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (method === "POST") headers["Idempotency-Key"] = key;
  if (body) headers["Content-Type"] = "application/json";
  const init = { method, headers, signal, body: body && JSON.stringify(body), cache: "no-store" };
  const response = await mapNetworkErrors(fetch(path, init));
  const date = Date.parse(response.headers.get("Date"));
  if (date) clockOffset = date - Date.now();
  if (!response.ok) throw await parseError(response);
  return response;
}

export async function call(method, path, options) {
  const response = await request(method, path, options);
  return response.status === 204 ? null : mapNetworkErrors(response.json());
}

// Make a call with retries. All attempts of a POST share one idempotency key, so it takes effect once.
export async function callWithRetries(method, path, { token, body, key = newKey() } = {}) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call(method, path, { token, body, key });
    } catch (error) {
      if (!error.isRetryable || error.retryAfter > 10 || attempt === MAX_ATTEMPTS) throw error;
      await sleep(Math.max(error.retryAfter * 1000, 250 * 2 ** attempt));
    }
  }
}

// Return a signal that aborts after a timeout, or with another signal.
export function withTimeout(milliseconds, signal) {
  const timeout = new AbortController();
  setTimeout(() => timeout.abort(new ApiError("offline", UNREACHABLE)), milliseconds);
  return signal ? AbortSignal.any([signal, timeout.signal]) : timeout.signal;
}

// Wait for a time, or until the signal aborts.
export const sleep = (milliseconds, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    const wake = () => (clearTimeout(timer), resolve());
    signal?.addEventListener("abort", wake, { once: true });
  });

async function mapNetworkErrors(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error.name === "AbortError" || error instanceof ApiError) throw error;
    throw new ApiError("offline", UNREACHABLE);
  }
}

async function parseError(response) {
  const { status } = response;
  try {
    const { error } = await response.json();
    return new ApiError(error.code, error.message, { status, retryAfter: error.retry_after ?? 0 });
  } catch {
    return new ApiError("unknown", `The server returned status ${status}.`, { status });
  }
}
