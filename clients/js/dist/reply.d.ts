import type { Message, OptionsBody } from "./schema.js";
import type { Session } from "./session.js";
/** Text that a reply has grown by. Converted to a string, it is the text. */
export declare class Delta {
    readonly text: string;
    /** The reply was restarted, for example after its worker was lost: discard the text before this delta. */
    readonly isRestart: boolean;
    constructor(text: string, 
    /** The reply was restarted, for example after its worker was lost: discard the text before this delta. */
    isRestart: boolean);
    toString(): string;
}
/**
 * The reply to one message.
 *
 * Iterate over it to read its text in deltas, from the beginning and as the model writes it. You can
 * stop iterating and start again at any time, also several times at once.
 */
export declare class Reply implements AsyncIterable<Delta> {
    #private;
    /** Settles once the server has accepted the message. */
    readonly accepted: Promise<Message>;
    constructor(session: Session, message: Promise<Message>);
    /** The latest known state; undefined until the message is accepted. */
    get message(): Message | undefined;
    /** The text that has been received so far. */
    get partialText(): string;
    /** The model's reasoning that has been received so far. */
    get reasoning(): string;
    /** Wait for the end of the reply and return its text, which is partial if it was cancelled or cut. */
    text(): Promise<string>;
    /** Yield the text: first what has arrived already, then each delta as it arrives. */
    [Symbol.asyncIterator](): AsyncGenerator<Delta, void, undefined>;
    /**
     * Yield the message now, and after each change until it has ended.
     *
     * Throws a ReplyFailed if the turn ended without a reply, and the errors of `Subscription`.
     */
    updates(): AsyncGenerator<Message, void, undefined>;
    /** Stop the reply and keep its partial text. */
    cancel(): Promise<void>;
}
/** Options of a message. */
export interface SendOptions {
    /** What happens while another reply has not ended. Default: `enqueue`. */
    onBusy?: "enqueue" | "reject" | "interrupt";
    /** Options of the model: max_tokens, temperature, top_p, stop, seed. */
    options?: OptionsBody;
    /** Id of the last turn's message, of which the new one is an edited version. */
    replaces?: string;
    /** Seconds until the turn expires. */
    deadline?: number;
    /** Idempotency key: a message with the same key and content is posted once. Default: a random key. */
    key?: string;
}
