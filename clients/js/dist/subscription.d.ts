import { type ParleyError } from "./errors.js";
import type { Update } from "./events.js";
import { type HTTP } from "./http.js";
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
export declare class Subscription implements AsyncIterable<Update> {
    #private;
    /** Seq of the last update. Set it to `null` to get a snapshot next. */
    cursor: number | null;
    readonly options: SubscriptionOptions;
    constructor(http: HTTP, path: string, token: string, options: SubscriptionOptions);
    /** End the iteration. */
    close(): void;
    /** Replace the connection, or skip the delay before the next one. */
    reconnect(): void;
    /** Disconnect until `resume` is called. */
    pause(): void;
    resume(): void;
    /**
     * Yield updates without end; reconnect after failures.
     *
     * Throws an APIStatusError if the session has ended, and the last error if the server has not
     * responded for `retryTimeout` seconds.
     */
    [Symbol.asyncIterator](): AsyncGenerator<Update, void, undefined>;
}
