import type { Message } from "../schema.js";
import type { Chat } from "./chat.js";
import type { Labels } from "./labels.js";
import { type Actions } from "./rows.js";
/** What the user does. */
export interface Handlers extends Actions {
    toggle(): void;
    send(text: string): void;
    stop(): void;
    older(): void;
    restart(): void;
    download(file: Promise<void>): void;
}
export declare class View {
    #private;
    readonly launcher: HTMLButtonElement;
    readonly panel: HTMLElement;
    readonly input: HTMLTextAreaElement;
    constructor(labels: Labels, baseURL: string, handlers: Handlers);
    /** The title of the chat. */
    set title(title: string);
    /** Whether the user can send messages. */
    set isEnabled(isEnabled: boolean);
    announce(text: string): void;
    announceReply(message: Message): void;
    scrollToEnd(): void;
    clear(): void;
    draw(chat: Chat): void;
}
