import type { Update } from "./events.js";
import type { Message, MessagePage, Session } from "./schema.js";
/** Whether a message is a reply that has not ended. */
export declare const isActive: ({ status }: Pick<Message, "status">) => boolean;
/** The messages of a session, kept up to date by the updates of a subscription. */
export declare class Conversation {
    #private;
    /** The fields of the session that are known. */
    session: Partial<Session>;
    readonly messages: Map<string, Message>;
    /** The cursor. */
    seq: number;
    /** Whether there are older messages, which `addOlder` adds. */
    hasOlder: boolean;
    /** Whether a snapshot is needed. */
    isStale: boolean;
    constructor(session?: Partial<Session>);
    /** Apply an update. Repeated events are ignored; a missing event makes the state stale. */
    apply(update: Update): void;
    /** Add the page of messages before a message, unless the history was cleared since the request. */
    addOlder(id: string, { data, has_more }: Pick<MessagePage, "data" | "has_more">): void;
    put(message: Message): void;
    clear(): void;
    get ordered(): Message[];
    /** Replies that are queued or in progress, in order. */
    get activeReplies(): Message[];
}
