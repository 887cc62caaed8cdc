import type { Message } from "../schema.js";
import type { Session } from "../session.js";
interface Renderer {
    show(text: string, isFinal: boolean): void;
}
interface ReasoningView extends Renderer {
    element: HTMLElement;
}
/** The images and files of messages. Images are downloaded when they are nearly visible. */
export interface FileList {
    /** Return the list of a message's files. */
    element(message: Pick<Message, "parts">): HTMLElement;
    download(id: string, name: string): Promise<void>;
    clear(): void;
}
/** The part of a reply that is shown. */
type Shown = Pick<Message, "content" | "items">;
/** The module that Parley serves at embed/markdown.js. */
export interface MarkdownModule {
    Markdown: new (root: HTMLElement) => Renderer;
    Reasoning: new () => ReasoningView;
    FileList: new (getSession: () => Session | undefined, box: Element) => FileList;
    splitReasoning(reply: Shown): [string, string];
}
/** Load the renderer of a server. After a failure, the next call tries again. */
export declare function loadMarkdown(baseURL: string): Promise<MarkdownModule>;
/** Shows the content of a reply: as text until the renderer is loaded, and if the page's policy forbids it. */
export declare class Content {
    #private;
    readonly element: HTMLElement;
    constructor(element: HTMLElement, body: HTMLElement, module: Promise<MarkdownModule>);
    show(reply: Shown, isFinal: boolean): void;
}
export {};
