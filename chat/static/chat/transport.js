// How news of a session comes in: an event stream, or long-polls where streams do not get through.
// Both go on from the cursor, so changing between them, or losing the network, misses nothing. There
// is no state that is not left after a bounded time: whatever fails or falls silent is tried again.

import { bound, call, pause, request } from "./api.js";

const FIRST_BYTE = 8_000; // ms; a proxy that gathers answers lets no first byte through
const SILENCE = 40_000; // ms; more than two of the server's heartbeats, or one long-poll
const LONGEST_PAUSE = 8_000;
const HIDDEN = 30_000; // ms; browsers allow few connections a host, so hidden tabs give theirs back

// listener: isBehind(), whole(snapshot), cursor(), event(event), snapshot(session), online(),
// lost(error), over(words). Returns how to stop, and how to connect anew at once.
export function follow({ id, token }, listener) {
  const stopped = new AbortController();
  const { signal } = stopped;
  let turn = new AbortController(); // ends one connection or pause, not the following
  let hiding = 0;
  const again = () => turn.abort();
  const lose = () => (listener.lost(), again());
  const hide = () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(again, HIDDEN);
  };
  addEventListener("online", again, { signal });
  addEventListener("offline", lose, { signal });
  document.addEventListener("visibilitychange", hide, { signal });
  signal.addEventListener("abort", again);
  hide();
  void run();
  return { stop: () => stopped.abort(), again };

  async function run() {
    let receive = stream;
    let wait = 500;
    while (!signal.aborted) {
      turn = new AbortController();
      try {
        if (listener.isBehind()) await read();
        await receive();
        wait = 500;
        await pause(100);
      } catch (error) {
        if (signal.aborted) return;
        if (error.isEnd) return listener.over(error.message);
        const isKeptBack = error.isBuffered || error.status === 404 || error.status === 405;
        if (receive === stream && isKeptBack) {
          receive = poll;
          continue;
        }
        receive = stream; // what kept streams back may have gone with the connection
        if (!document.hidden) listener.lost(error);
        turn = new AbortController();
        await pause(Math.max(wait * (0.5 + Math.random()), (error.retryAfter ?? 0) * 1000), turn.signal);
        wait = Math.min(wait * 2, LONGEST_PAUSE);
      }
      await shown(signal);
    }
  }

  async function read() {
    listener.whole(await call("GET", `sessions/${id}`, { token, signal: bound(FIRST_BYTE, turn.signal) }));
    listener.online();
  }

  async function stream() {
    let heard = false;
    let isBuffered = false;
    let timer = setTimeout(() => ((isBuffered = true), again()), FIRST_BYTE);
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(again, SILENCE);
      if (!heard) listener.online();
      heard = true;
    };
    try {
      const path = `sessions/${id}/events?after=${listener.cursor()}`;
      const response = await request("GET", path, { token, signal: turn.signal });
      for await (const block of blocks(response.body, alive)) {
        const data = block.split("\n").find((line) => line.startsWith("data: "));
        if (data) listener.event(JSON.parse(data.slice(6)));
        if (listener.isBehind()) return;
      }
    } catch (error) {
      throw Object.assign(error, { isBuffered: isBuffered && navigator.onLine });
    } finally {
      clearTimeout(timer);
      again(); // an error of the listener must not leave the connection open
    }
  }

  async function poll() {
    const path = `sessions/${id}?after=${listener.cursor()}&wait=25&limit=200`;
    listener.snapshot(await call("GET", path, { token, signal: bound(SILENCE, turn.signal) }));
    listener.online();
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

async function shown(signal) {
  while (document.hidden && !signal.aborted) {
    await new Promise((resolve) => {
      document.addEventListener("visibilitychange", resolve, { once: true });
      signal.addEventListener("abort", resolve, { once: true });
    });
  }
}
