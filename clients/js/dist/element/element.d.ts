import type { NewSessionBody } from "../schema.js";
import type { Session } from "../session.js";
import { type Labels } from "./labels.js";
/**
 * A chat in a bubble or inline.
 *
 * Events: parley-open, parley-close, parley-session {session}, parley-message {content},
 * parley-reply {message}, parley-error {error}.
 */
export declare class ParleyChat extends HTMLElement {
    #private;
    static observedAttributes: string[];
    /** Fields of new sessions, such as `model` and `metadata`. */
    params: NewSessionBody;
    /** Returns a JWT; called before a session is opened, so that it has not expired. */
    getToken: (() => string | Promise<string>) | undefined;
    /** Replace texts, for example by translations. */
    set labels(labels: Partial<Labels>);
    get open(): boolean;
    set open(open: boolean);
    get token(): string;
    set token(token: string);
    /** The session, once there is one. */
    get session(): Session | undefined;
    /** The address of Parley: by default, that of the script. */
    get baseURL(): string;
    /** Send a message, as if the user had. */
    send(content: string): void;
    /** Forget the session and start a new one with the next message. */
    restart(): void;
    focus(options?: FocusOptions): void;
    connectedCallback(): void;
    disconnectedCallback(): void;
    attributeChangedCallback(name: string, before: string | null, after: string | null): void;
}
declare global {
    interface HTMLElementTagNameMap {
        "parley-chat": ParleyChat;
    }
}
