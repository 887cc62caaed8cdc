import type { Message } from "../schema.js";
import type { Unsent } from "./chat.js";
import type { Labels } from "./labels.js";
import { type FileList, type MarkdownModule } from "./markdown.js";
/** What the buttons of a row do. */
export interface Actions {
    copy(text: string, pressed: HTMLElement): void;
    rate(id: string, rating: "up" | "down" | null): void;
    regenerate(id: string): void;
    continue(): void;
    resend(key: string): void;
    discard(key: string): void;
}
export interface RowContext {
    labels: Labels;
    actions: Actions;
    markdown(): Promise<MarkdownModule>;
    files(): Promise<FileList>;
}
export declare class Row {
    #private;
    readonly element: HTMLLIElement;
    constructor(context: RowContext, isReply: boolean);
    drawReply(message: Message, isLast: boolean): void;
    /** Show a message. The names of its files stand for them until the list is loaded. */
    drawUser(message: Pick<Message, "content" | "parts">): void;
    drawUnsent({ key, content, error }: Unsent): void;
}
/** Why a reply has no text yet, or is missing or partial. */
export declare function noteOf({ status, content, wait, error, finish_reason }: Message, labels: Labels): string;
