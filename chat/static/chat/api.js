// The calls that the page makes. What goes wrong is an ApiError, whose message is for people.

const TRIES = 5;
const TIMEOUT = 20_000; // ms; a network that loses everything would else be waited for without end
const SERVER_OFFLINE = "The server cannot be reached.";

let skew = 0; // milliseconds that the server's clock is ahead

export class ApiError extends Error {
  constructor(code, message, { status = 0, retryAfter = 0 } = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter; // seconds
  }

  // Whether the same request may well succeed a little later.
  get mayPass() {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }

  get isEnd() {
    return this.status === 401 || this.code === "session_not_found";
  }
}

export const serverNow = () => (Date.now() + skew) / 1000;

// crypto.randomUUID is missing where a page is not served by HTTPS or from localhost.
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");

// signal: ends the request, also while its answer is read. Without one it ends after TIMEOUT.
export async function request(method, path, { token, body, key, signal = bound(TIMEOUT) } = {}) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (method === "POST") headers["Idempotency-Key"] = key;
  if (body) headers["Content-Type"] = "application/json";
  const init = { method, headers, signal, body: body && JSON.stringify(body), cache: "no-store" };
  const response = await reached(fetch(path, init));
  const date = Date.parse(response.headers.get("Date"));
  if (date) skew = date - Date.now();
  if (!response.ok) throw await refusal(response);
  return response;
}

export async function call(method, path, options) {
  const response = await request(method, path, options);
  return response.status === 204 ? null : reached(response.json());
}

// Repeat a call until it gets through. A POST bears one key, so that it happens once however often
// it is sent.
export async function insist(method, path, { token, body, key = newKey() } = {}) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await call(method, path, { token, body, key });
    } catch (error) {
      if (!error.mayPass || error.retryAfter > 10 || tried === TRIES) throw error;
      await pause(Math.max(error.retryAfter * 1000, 250 * 2 ** tried));
    }
  }
}

// Return a signal that comes after so many milliseconds, or with another signal.
export function bound(milliseconds, signal) {
  const late = new AbortController();
  setTimeout(() => late.abort(new ApiError("offline", SERVER_OFFLINE)), milliseconds);
  return signal ? AbortSignal.any([signal, late.signal]) : late.signal;
}

export const pause = (milliseconds, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    const skip = () => (clearTimeout(timer), resolve());
    signal?.addEventListener("abort", skip, { once: true });
  });

async function reached(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error.name === "AbortError" || error instanceof ApiError) throw error;
    throw new ApiError("offline", SERVER_OFFLINE);
  }
}

async function refusal(response) {
  const { status } = response;
  try {
    const { error } = await response.json();
    return new ApiError(error.code, error.message, { status, retryAfter: error.retry_after ?? 0 });
  } catch {
    return new ApiError("unknown", `The server answered ${status}.`, { status });
  }
}
