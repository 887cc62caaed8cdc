// Subscribes to a session by event stream, or by long polling if streams do not work. Both continue at
// the cursor, so no update is lost when the transport or the network changes. Every failure and every
// timeout leads to a retry.

import { call, request, sleep, withTimeout } from "./api.js";

const FIRST_BYTE_TIMEOUT = 8_000; // ms; a proxy that buffers responses delays the first byte
const IDLE_TIMEOUT = 40_000; // ms; more than two of the server's heartbeats, or one long poll
const MAX_BACKOFF = 8_000; // ms
const HIDDEN_TIMEOUT = 30_000; // ms; browsers limit connections per host, so hidden tabs disconnect

// listener: isStale(), cursor(), onSnapshot(snapshot), onEvent(event), onChanges(session), onConnect(),
// onDisconnect(error), onEnd(reason). Returns stop() and reconnect().
export function subscribe({ id, token }, listener) {
  const stopped = new AbortController();
  const { signal } = stopped;
  let attempt = new AbortController(); // ends the current connection or delay
  let hiddenTimer = 0;
  const reconnect = () => attempt.abort();
  const onOffline = () => (listener.onDisconnect(), reconnect());
  const onVisibilityChange = () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = setTimeout(reconnect, HIDDEN_TIMEOUT);
  };
  addEventListener("online", reconnect, { signal });
  addEventListener("offline", onOffline, { signal });
  document.addEventListener("visibilitychange", onVisibilityChange, { signal });
  signal.addEventListener("abort", reconnect);
  onVisibilityChange();
  void run();
  return { stop: () => stopped.abort(), reconnect };

  async function run() {
    let receive = stream;
    let backoff = 500;
    while (!signal.aborted) {
      attempt = new AbortController();
      try {
        if (listener.isStale()) await readSnapshot();
        await receive();
        backoff = 500;
        await sleep(100);
      } catch (error) {
        if (signal.aborted) return;
        if (error.isGone) return listener.onEnd(error.message);
        const hasNoStreams = error.isBuffered || error.status === 404 || error.status === 405;
        if (receive === stream && hasNoStreams) {
          receive = poll;
          continue;
        }
        receive = stream; // the next network may support streams
        if (!document.hidden) listener.onDisconnect(error);
        attempt = new AbortController();
        const delay = Math.max(backoff * (0.5 + Math.random()), (error.retryAfter ?? 0) * 1000);
        await sleep(delay, attempt.signal);
        backoff = Math.min(backoff * 2, MAX_BACKOFF);
      }
      await untilVisible(signal);
    }
  }

  async function readSnapshot() {
    const limit = withTimeout(FIRST_BYTE_TIMEOUT, attempt.signal);
    listener.onSnapshot(await call("GET", `sessions/${id}`, { token, signal: limit }));
    listener.onConnect();
  }

  async function stream() {
    let isConnected = false;
    let isBuffered = false;
    let timer = setTimeout(() => ((isBuffered = true), reconnect()), FIRST_BYTE_TIMEOUT);
    const onData = () => {
      clearTimeout(timer);
      timer = setTimeout(reconnect, IDLE_TIMEOUT);
      if (!isConnected) listener.onConnect();
      isConnected = true;
    };
    try {
      const path = `sessions/${id}/events?after=${listener.cursor()}`;
      const response = await request("GET", path, { token, signal: attempt.signal });
      for await (const frame of readFrames(response.body, onData)) {
        const data = frame.split("\n").find((line) => line.startsWith("data: "));
        if (data) listener.onEvent(JSON.parse(data.slice(6)));
        if (listener.isStale()) return;
      }
    } catch (error) {
      throw Object.assign(error, { isBuffered: isBuffered && navigator.onLine });
    } finally {
      clearTimeout(timer);
      reconnect(); // an exception of the listener must not leave the connection open
    }
  }

  async function poll() {
    const path = `sessions/${id}?after=${listener.cursor()}&wait=25&limit=200`;
    const limit = withTimeout(IDLE_TIMEOUT, attempt.signal);
    listener.onChanges(await call("GET", path, { token, signal: limit }));
    listener.onConnect();
  }
}

// Yield the frames of an event stream.
async function* readFrames(body, onData) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    onData();
    const frames = (rest + value).split("\n\n");
    rest = frames.pop();
    yield* frames;
  }
}

async function untilVisible(signal) {
  while (document.hidden && !signal.aborted) {
    await new Promise((resolve) => {
      document.addEventListener("visibilitychange", resolve, { once: true });
      signal.addEventListener("abort", resolve, { once: true });
    });
  }
}
