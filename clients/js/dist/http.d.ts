export type Params = Record<string, string | number | undefined>;
export interface CallOptions {
    token?: string;
    /** An object, which is sent as JSON, or the content of a file. */
    body?: object | Blob;
    params?: Params;
    /** Idempotency key of a POST. */
    key?: string;
    signal?: AbortSignal;
    /** Milliseconds until the call fails. */
    timeout?: number;
    /** A member that the response must have; another response does not come from Parley. */
    expected?: string;
    /** Whether the response is a file. */
    isFile?: boolean;
}
/** A random key; crypto.randomUUID requires HTTPS or localhost. */
export declare const newKey: () => string;
/** Abort a controller together with a signal, which may have aborted already. Returns a function that stops this. */
export declare function follow(controller: AbortController, signal?: AbortSignal): () => void;
/** An API key or a JWT, and the user for whom an API key acts. */
export interface Credentials {
    token: string | undefined;
    user: string | undefined;
    /** Send tokens in the header `Parley-Token`. */
    useTokenHeader: boolean | undefined;
}
export declare class HTTP {
    #private;
    /** Milliseconds by which the server's clock is ahead. */
    clockOffset: number;
    readonly retryTimeout: number;
    constructor(baseURL: string | URL, retryTimeout: number, fetcher: typeof fetch, credentials: Credentials);
    /** Send a request once and return the response with its body unread. */
    request(method: string, path: string, { token, body, params, key, signal }: CallOptions): Promise<Response>;
    /** Make a call once and return the JSON of its response. */
    callOnce(method: string, path: string, { signal, timeout, expected, isFile, ...options }: CallOptions): Promise<any>;
    /** Make a call, with retries. All attempts of a POST share one idempotency key, so it takes effect once. */
    call(method: string, path: string, options: CallOptions): Promise<any>;
}
export declare const hasType: ({ headers }: Response, type: string) => boolean;
/** Throw a connection error; rethrow the reason of an abort. */
export declare function connectionError(error: any): never;
