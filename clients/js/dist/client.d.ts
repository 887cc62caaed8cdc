import type { Model, NewSessionBody, SessionSummary } from "./schema.js";
import { Session } from "./session.js";
export interface ClientOptions {
    /** An API key or a JWT, which opens sessions. */
    token?: string;
    /** The user for whom an API key acts. */
    user?: string;
    /** Seconds during which a call is retried if the server does not respond, or with 408, 429, 502, 503 or 504. */
    retryTimeout?: number;
    /** Read replies as Server-Sent Events if possible; if false, use long polling. */
    stream?: boolean;
    /**
     * Send tokens in the header `Parley-Token`. `Authorization` is then free for a proxy that asks for a password;
     * only for pages of the server's own origin.
     */
    useTokenHeader?: boolean;
    /** Replaces the global `fetch`. */
    fetch?: typeof fetch;
}
/** Client for one Parley server. */
export declare class Client {
    #private;
    /** Create a client without connecting to the server. Throws a TypeError if the URL is invalid. */
    constructor(baseURL: string | URL, options?: ClientOptions);
    /** Open a new session. key: an idempotency key; the same key returns the same session. */
    open(params?: NewSessionBody, { key }?: {
        key?: string;
    }): Promise<Session>;
    /** Return the existing session of a token, or of an id. */
    attach(tokenOrId: string): Promise<Session>;
    /**
     * Return the session of a token without checking that it exists. A client with an API key or a JWT also
     * takes the id of a session.
     */
    session(tokenOrId: string): Session;
    /** Return the existing session of a token, or open a new one if the token is not valid. */
    attachOrOpen(token: string | null | undefined, params?: NewSessionBody): Promise<Session>;
    /** Yield the sessions of the user, most recently active first. search: words of their names. */
    sessions({ search }?: {
        search?: string;
    }): AsyncGenerator<SessionSummary, void, undefined>;
    /** Delete everything of a user: an API key can do that. */
    deleteUser(user: string): Promise<void>;
    /** Fetch the models that sessions can use. */
    models(): Promise<Model[]>;
    /** The server's time: seconds since the epoch. */
    get now(): number;
}
