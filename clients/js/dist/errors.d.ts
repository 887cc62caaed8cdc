/** Base class. `code` is stable; `message` is a sentence for users. */
export declare class ParleyError extends Error {
    readonly code: string;
    /** HTTP status; 0 if there was no response. */
    readonly status: number;
    /** Seconds to wait before the next attempt. */
    readonly retryAfter: number;
    constructor(code: string, message: string, options?: ErrorOptions);
    /** Whether another attempt may succeed. */
    get isRetryable(): boolean;
    /** Whether the token is invalid or its session has ended. */
    get isGone(): boolean;
}
/** The server returned an error status. */
export declare class APIStatusError extends ParleyError {
    readonly status: number;
    readonly retryAfter: number;
    /** Dotted path of the invalid request field. */
    readonly param: string | null;
    /** Identifies the request in the server's logs. */
    readonly requestId: string | null;
    /** Whether a server in front of Parley answered, such as a proxy that wants a password. */
    readonly isForeign: boolean;
    constructor(response: Response, error?: Record<string, any>);
    get isRetryable(): boolean;
}
/** The server did not respond. A message that was being posted may have been accepted. */
export declare class APIConnectionError extends ParleyError {
    constructor(cause?: unknown);
    get isRetryable(): boolean;
}
/** The turn ended without a reply; `message` gives the reason. */
export declare class ReplyFailed extends ParleyError {
}
