import type { Client } from "../client.js";
import { Conversation } from "../conversation.js";
import { ParleyError } from "../errors.js";
import type { Message, NewSessionBody } from "../schema.js";
import type { Session } from "../session.js";
import type { TokenStore } from "./credentials.js";
/** A message that the conversation does not contain yet. */
export interface Unsent {
    key: string;
    content: string;
    /** Why it was rejected. */
    error?: ParleyError | undefined;
    /** Its place in the session's log, once it is accepted. */
    seq?: number;
}
export interface ChatOptions {
    /** The token of an existing session. */
    token?: string;
    /** Where the token of a new session is kept. */
    store: TokenStore;
    /** Returns the client that opens sessions. */
    connect(): Promise<Client>;
    client: Client;
    params(): NewSessionBody;
    onChange(): void;
    onSession(session: Session): void;
    onReply(message: Message): void;
    onError(error: ParleyError): void;
    /** The server could not be reached. */
    onUnreachable(): void;
}
export declare class Chat {
    #private;
    conversation: Conversation;
    session: Session | undefined;
    unsent: Unsent[];
    isOffline: boolean;
    /** Why the session has ended. */
    endReason: string;
    constructor(options: ChatOptions);
    close(): void;
    /** Whether the messages of an existing session are on their way. */
    get isLoading(): boolean;
    /** Whether the element opened the session and may open another. */
    get canRestart(): boolean;
    get activeReplies(): Message[];
    get visibleUnsent(): Unsent[];
    send(content: string): void;
    resend(key: string): void;
    /** Send the rejected messages again. */
    retry(): void;
    /** Remove a message that was not sent. */
    discard(key: string): void;
    cancel(): Promise<void>;
    regenerate(id: string): Promise<void>;
    continue(): Promise<void>;
    rate(id: string, rating: "up" | "down" | null): Promise<void>;
    loadOlder(): Promise<void>;
}
