import type { HTTP, Params } from "./http.js";
import { Reply, type SendOptions } from "./reply.js";
import type * as schema from "./schema.js";
import { Subscription, type SubscriptionOptions } from "./subscription.js";
/** Query parameters of a page of messages. */
export interface PageParams extends Params {
    before?: string;
    after?: string;
    limit?: number;
    order?: "asc" | "desc";
}
/**
 * A session and its token.
 *
 * Methods that call the server throw an APIStatusError, or an APIConnectionError after retries.
 */
export declare class Session {
    #private;
    /** Grants access to the session. It cannot be retrieved later. */
    token: string;
    /** The fields of the last response, if there was one. */
    fields: Partial<schema.Session> & {
        id: string;
    };
    constructor(http: HTTP, stream: boolean, token: string, fields: Partial<schema.Session> & {
        id: string;
    });
    get id(): string;
    /** Post a message, a text or parts, and return its reply without waiting for it. */
    send(content: string | schema.PartBody[], options?: SendOptions): Reply;
    /** Store an image or a file; parts of messages refer to its id. */
    upload(content: Blob, filename?: string): Promise<schema.File>;
    /** Download a file of the session. */
    download(fileId: string): Promise<Blob>;
    /** Request the rest of the last reply, which ended at its maximum length. */
    continue(options?: SendOptions): Reply;
    /** Request another reply to the last message, given its id or the id of its reply. */
    regenerate(messageId: string, { options, key }?: Pick<SendOptions, "options" | "key">): Reply;
    /** Cancel a reply; returns its current state, which may still be `in_progress`. */
    cancel(messageId: string): Promise<schema.Message>;
    /** Rate a reply that has ended "up" or "down"; `null` removes the rating. */
    rate(messageId: string, rating: "up" | "down" | null, comment?: string): Promise<schema.Message>;
    /** Fetch one message. */
    message(messageId: string): Promise<schema.Message>;
    /** An existing reply, to read it or the rest of it. */
    reply(messageId: string): Reply;
    /** Fetch one page of messages. */
    messages(params?: PageParams): Promise<schema.MessagePage>;
    /** Yield all messages; fetches one page at a time. */
    history({ newestFirst }?: {
        newestFirst?: boolean | undefined;
    }): AsyncGenerator<schema.Message, void, undefined>;
    /** Return the newest replies that are queued or in progress, oldest first. */
    activeReplies(): Promise<Reply[]>;
    /** Fetch the session with its newest messages. */
    refresh(): Promise<schema.Session>;
    /** Update fields of the session; `null` resets a field to its default. */
    update(changes: schema.SessionUpdateBody): Promise<schema.Session>;
    /** Cancel active replies and clear the history. The session and its token remain valid. */
    reset(): Promise<schema.Session>;
    /** Replace the token and extend the expiry. The old token stops working. */
    rotateToken(): Promise<string>;
    /** Delete the session and all its data; does nothing if it no longer exists. */
    delete(): Promise<void>;
    /** Subscribe to the updates of the session. */
    subscribe(options?: SubscriptionOptions): Subscription;
}
