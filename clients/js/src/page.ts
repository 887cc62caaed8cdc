// Browser events that concern the connections of a page.

import type { Subscription } from "./subscription.js";

const HIDDEN_TIMEOUT = 30_000; // ms; short visits to other tabs keep the connection

/** Connect a subscription to the browser's events. Returns a function that disconnects it; does nothing in Node. */
export function watchPage(subscription: Subscription): () => void {
  const { document } = globalThis;
  if (!document) return () => {};
  const controller = new AbortController();
  const { signal } = controller;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onVisibilityChange = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => subscription.pause(), HIDDEN_TIMEOUT);
    else subscription.resume();
  };
  const onOffline = () => {
    subscription.options.onDisconnect?.();
    subscription.reconnect();
  };
  addEventListener("online", () => subscription.reconnect(), { signal });
  addEventListener("offline", onOffline, { signal });
  if (subscription.options.pauseWhenHidden) {
    document.addEventListener("visibilitychange", onVisibilityChange, { signal });
    onVisibilityChange();
  }
  return () => {
    clearTimeout(timer);
    controller.abort();
  };
}
