// The chat page's Markdown renderer and list of files, which are loaded when they are first needed.

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

const modules = new Map<string, Promise<MarkdownModule>>();

/** Load the renderer of a server. After a failure, the next call tries again. */
export function loadMarkdown(baseURL: string): Promise<MarkdownModule> {
  const url = new URL("embed/markdown.js", baseURL).href;
  let module = modules.get(url);
  if (!module) {
    module = import(/* webpackIgnore: true */ /* @vite-ignore */ url) as Promise<MarkdownModule>;
    modules.set(url, module);
    module.catch(() => modules.delete(url));
  }
  return module;
}

/** Shows the content of a reply: as text until the renderer is loaded, and if the page's policy forbids it. */
export class Content {
  readonly element: HTMLElement;
  #module: MarkdownModule | undefined;
  #body: HTMLElement;
  #markdown: Renderer | undefined;
  #reasoning: ReasoningView | undefined;
  #shown: [Shown, boolean] = [{ content: "" }, false];

  constructor(element: HTMLElement, body: HTMLElement, module: Promise<MarkdownModule>) {
    this.element = element;
    this.#body = body;
    module.then(
      (loaded) => {
        this.#module = loaded;
        this.show(...this.#shown);
      },
      () => {},
    );
  }

  show(reply: Shown, isFinal: boolean): void {
    this.#shown = [reply, isFinal];
    try {
      if (this.#module) return this.#render(this.#module, reply, isFinal);
    } catch {
      // Trusted Types of the page do not allow the policy "dompurify".
      this.#module = undefined;
      this.#reasoning?.element.remove();
    }
    this.#body.classList.add("plain");
    this.#body.textContent = reply.content;
  }

  #render(module: MarkdownModule, reply: Shown, isFinal: boolean): void {
    if (!this.#markdown) {
      this.#body.classList.remove("plain");
      this.#body.textContent = "";
      this.#markdown = new module.Markdown(this.#body);
      this.#reasoning = new module.Reasoning();
      this.element.prepend(this.#reasoning.element);
    }
    const [reasoning, text] = module.splitReasoning(reply);
    this.#reasoning!.show(reasoning, isFinal);
    this.#markdown.show(text, isFinal);
  }
}
