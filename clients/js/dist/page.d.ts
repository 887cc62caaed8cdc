import type { Subscription } from "./subscription.js";
/** Connect a subscription to the browser's events. Returns a function that disconnects it; does nothing in Node. */
export declare function watchPage(subscription: Subscription): () => void;
