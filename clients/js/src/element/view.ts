// The element's shadow tree.

import { isActive } from "../conversation.js";
import type { Message } from "../schema.js";
import type { Chat } from "./chat.js";
import { button, h, icon, setChildren } from "./dom.js";
import type { Labels } from "./labels.js";
import { type FileList, loadMarkdown } from "./markdown.js";
import { type Actions, noteOf, Row, type RowContext } from "./rows.js";

const NEAR = 60; // pixels from an end of the list that count as its end
const BUBBLE = "M12 3C6 3 2 7 2 11.500c0 2.500 1 4.500 3 6L4 22l5-2.300 3 .3c6 0 10-4 10-8.500S18 3 12 3z";

/** What the user does. */
export interface Handlers extends Actions {
  toggle(): void;
  send(text: string): void;
  stop(): void;
  older(): void;
  restart(): void;
  download(file: Promise<void>): void;
}

export class View {
  readonly launcher: HTMLButtonElement;
  readonly panel: HTMLElement;
  readonly input: HTMLTextAreaElement;
  #labels: Labels;
  #context: RowContext;
  #rows = new Map<string, Row>();
  #chat: Chat | undefined;
  #files: Promise<FileList> | undefined;
  #title: HTMLElement;
  #status = h("div", "status", { role: "status", hidden: true });
  #statusText = h("span");
  #restart: HTMLButtonElement;
  #log: HTMLElement;
  #list = h("ol", "messages");
  #empty: HTMLElement;
  #older: HTMLButtonElement;
  #newest: HTMLButtonElement;
  #send: HTMLButtonElement;
  #stop: HTMLButtonElement;
  #announcer = h("p", "", { className: "hidden", role: "status" });
  #isAtEnd = true;
  #top = 0;

  constructor(labels: Labels, baseURL: string, handlers: Handlers) {
    this.#labels = labels;
    const markdown = () => loadMarkdown(baseURL);
    const files = () => (this.#files ??= markdown().then(({ FileList }) => new FileList(() => this.#chat?.session, this.#log)));
    this.#context = { labels, actions: handlers, markdown, files };
    const launcherIcon = h("slot", "", { name: "launcher" }, icon(BUBBLE));
    this.launcher = button("launcher", labels.launch, handlers.toggle, launcherIcon);
    this.#title = h("h2", "title");
    const close = button("close", labels.close, handlers.toggle, "×");
    const header = h("header", "header", {}, h("slot", "", { name: "header" }, this.#title), close);
    this.#restart = button("restart", labels.restart, handlers.restart);
    this.#status.append(this.#statusText, this.#restart);
    this.#empty = h("div", "empty", {}, h("slot", "", { name: "empty" }, labels.empty));
    this.#older = button("older", labels.older, handlers.older);
    this.#newest = button("newest", labels.newest, () => this.scrollToEnd(), "↓");
    const log = { role: "log", ariaLive: "off", ariaLabel: labels.log, tabIndex: 0 };
    this.#log = h("div", "log", log, this.#empty, this.#older, this.#list);
    this.input = h("textarea", "input", { rows: 1, dir: "auto", ariaLabel: labels.message, placeholder: labels.placeholder, enterKeyHint: "send" });
    this.#stop = button("stop", labels.stop, handlers.stop, "■");
    this.#send = button("send", labels.send, () => this.#submit(handlers), "↑");
    const box = h("div", "box", { className: "box" }, this.input, this.#stop, this.#send);
    const composer = h("div", "composer", { className: "composer" }, this.#newest, box);
    this.panel = h("section", "panel", {}, header, this.#status, this.#log, composer, h("slot", "", { name: "footer" }), this.#announcer);
    this.#listen(handlers);
  }

  /** The title of the chat. */
  set title(title: string) {
    this.#title.textContent = this.panel.ariaLabel = title;
  }

  /** Whether the user can send messages. */
  set isEnabled(isEnabled: boolean) {
    this.input.disabled = !isEnabled;
    this.#inputChanged();
  }

  announce(text: string): void {
    this.#announcer.textContent = text;
  }

  announceReply(message: Message): void {
    this.announce(noteOf(message, this.#labels) || `${this.#labels.reply}: ${message.content}`);
  }

  scrollToEnd(): void {
    this.#isAtEnd = true;
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  clear(): void {
    this.#rows.clear();
    this.#list.replaceChildren();
    this.#files?.then((files) => files.clear(), () => {});
    this.#files = undefined;
  }

  draw(chat: Chat): void {
    const { conversation, visibleUnsent, endReason, isOffline, canRestart } = chat;
    this.#chat = chat;
    const { ordered } = conversation;
    const hadFirst = this.#list.firstChild;
    const fromEnd = this.#log.scrollHeight - this.#log.scrollTop;
    setChildren(this.#list, [...this.#messages(ordered), ...visibleUnsent.map((each) => this.#unsent(each))]);
    for (const [key, { element }] of this.#rows) if (!element.parentNode) this.#rows.delete(key);
    this.#empty.hidden = chat.isLoading || this.#list.childElementCount > 0;
    this.#older.hidden = !conversation.hasOlder;
    this.#statusText.textContent = endReason ? `${this.#labels.ended} ${endReason}` : this.#labels.offline;
    this.#status.hidden = !endReason && !isOffline;
    this.#restart.hidden = !endReason || !canRestart;
    this.#stop.hidden = !ordered.some(isActive);
    if (this.#isAtEnd) this.scrollToEnd();
    else if (hadFirst?.parentNode && hadFirst !== this.#list.firstChild) this.#log.scrollTop = this.#log.scrollHeight - fromEnd;
    this.#newest.hidden = this.#isAtEnd;
  }

  #messages(messages: Message[]): Node[] {
    // Only the newest reply to a message is shown.
    const newest = new Map(messages.map(({ id, reply_to }) => [reply_to, id]));
    const shown = messages.filter(({ id, reply_to }) => !reply_to || newest.get(reply_to) === id);
    return shown.map((message) => {
      const isReply = message.role === "assistant";
      const row = this.#row(message.id, isReply);
      if (isReply) row.drawReply(message, message === messages.at(-1));
      else row.drawUser(message);
      return row.element;
    });
  }

  #unsent(entry: Chat["unsent"][number]): Node {
    const row = this.#row(entry.key, false);
    row.drawUnsent(entry);
    return row.element;
  }

  #row(key: string, isReply: boolean): Row {
    let row = this.#rows.get(key);
    if (!row) this.#rows.set(key, (row = new Row(this.#context, isReply)));
    return row;
  }

  #listen(handlers: Handlers): void {
    this.input.addEventListener("input", () => this.#inputChanged());
    this.input.addEventListener("keydown", (event) => {
      // Enter also confirms the characters of an input method; Safari reports that by keyCode 229 only.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#submit(handlers);
    });
    this.panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing) return;
      event.stopPropagation();
      if (this.#stop.hidden) handlers.toggle();
      else handlers.stop();
    });
    // The buttons of code blocks and files are the chat page's.
    this.#list.addEventListener("click", ({ target }) => {
      const pressed = (target as Element).closest<HTMLButtonElement>("[data-action]");
      const pre = pressed?.closest(".code")?.querySelector("pre");
      if (pressed?.dataset.action === "download") handlers.download(this.#files!.then((files) => files.download(pressed.value, pressed.name)));
      if (!pressed || !pre) return;
      if (pressed.dataset.action === "copy") handlers.copy(pre.textContent ?? "", pressed);
      else pressed.ariaPressed = `${pre.classList.toggle("wrap")}`;
    });
    this.#log.addEventListener("scroll", () => this.#scrolled(handlers), { passive: true });
    new ResizeObserver(() => this.#isAtEnd && this.scrollToEnd()).observe(this.#list);
  }

  #submit(handlers: Handlers): void {
    const { value } = this.input;
    if (!value.trim() || this.input.disabled) return;
    this.input.value = "";
    this.#inputChanged();
    this.#isAtEnd = true;
    handlers.send(value);
  }

  #inputChanged(): void {
    const { input } = this;
    input.style.height = "auto";
    if (input.scrollHeight) input.style.height = `${input.scrollHeight}px`;
    this.#send.disabled = input.disabled || !input.value.trim();
  }

  // Only scrolling up stops the list from following its end.
  #scrolled(handlers: Handlers): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR || (this.#isAtEnd && scrollTop >= this.#top);
    this.#top = scrollTop;
    this.#newest.hidden = this.#isAtEnd;
    if (scrollTop < NEAR && !this.#isAtEnd && !this.#older.hidden) handlers.older();
  }
}
