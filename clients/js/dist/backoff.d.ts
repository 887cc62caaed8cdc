/** Wait for a time, or until the signal aborts. */
export declare function sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
/** Exponential backoff, limited to a number of seconds after the last success. */
export declare class Backoff {
    #private;
    constructor(retryTimeout: number);
    reset(): void;
    /** Sleep until the next attempt. Throws the error if it is permanent or the deadline would pass. */
    wait(error: unknown, signal?: AbortSignal): Promise<void>;
}
