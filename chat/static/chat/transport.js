// How news of a session comes in: an event stream, or long-polls where streams do not get through.
// Both go on from the cursor, so changing between them, or losing the network, misses nothing.

import { call, pause, request } from "./api.js";

const FIRST_BYTE = 8_000; // ms; a proxy that gathers answers lets no first byte through
const SILENCE = 40_000; // ms; more than two of the server's heartbeats
const LONGEST_PAUSE = 8_000;
const HIDDEN = 30_000; // ms; browsers allow few connections a host, so hidden tabs give theirs back

// listener: cursor(), event(event), snapshot(session), online(), offline(), ended(error)
export function follow(session, listener) {
  const stopped = new AbortController();
  const { signal } = stopped;
  let turn = new AbortController(); // ends one connection, not the following
  let hiding = 0;
  const again = () => turn.abort();
  const lose = () => (listener.offline(), again());
  const hide = () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(again, HIDDEN);
  };
  addEventListener("online", again, { signal });
  addEventListener("offline", lose, { signal });
  document.addEventListener("visibilitychange", hide, { signal });
  signal.addEventListener("abort", again);
  void run();
  return () => stopped.abort();

  async function run() {
    let receive = stream;
    let wait = 500;
    while (!signal.aborted) {
      turn = new AbortController();
      try {
        await receive(session, listener, turn);
        wait = 500;
      } catch (error) {
        if (signal.aborted) return;
        if (error.isEnd) return listener.ended(error);
        if (receive === stream && (error.isBuffered || error.status === 404 || error.status === 405)) {
          receive = poll;
          continue;
        }
        listener.offline();
        await pause(Math.max(wait * (0.5 + Math.random()), (error.retryAfter ?? 0) * 1000), turn.signal);
        wait = Math.min(wait * 2, LONGEST_PAUSE);
      }
      await shown(signal);
    }
  }
}

async function stream({ id, token }, listener, turn) {
  let heard = false;
  let isBuffered = false;
  let timer = setTimeout(() => ((isBuffered = true), turn.abort()), FIRST_BYTE);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => turn.abort(), SILENCE);
    if (!heard) listener.online();
    heard = true;
  };
  try {
    const path = `sessions/${id}/events?after=${listener.cursor()}`;
    const response = await request("GET", path, { token, signal: turn.signal });
    for await (const block of blocks(response.body, alive)) {
      const data = block.split("\n").find((line) => line.startsWith("data: "));
      if (data) listener.event(JSON.parse(data.slice(6)));
    }
  } catch (error) {
    throw Object.assign(error, { isBuffered: isBuffered && navigator.onLine });
  } finally {
    clearTimeout(timer);
    turn.abort(); // an error of the listener must not leave the connection open
  }
}

async function* blocks(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    yield* parts;
  }
}

async function poll({ id, token }, listener, turn) {
  const path = `sessions/${id}?after=${listener.cursor()}&wait=25&limit=200`;
  listener.snapshot(await call("GET", path, { token, signal: turn.signal }));
  listener.online();
  await pause(100, turn.signal);
}

const shown = (signal) =>
  new Promise((resolve) => {
    if (!document.hidden || signal.aborted) return resolve();
    const look = () => document.hidden || resolve();
    document.addEventListener("visibilitychange", look, { signal });
    signal.addEventListener("abort", resolve, { once: true });
  });
