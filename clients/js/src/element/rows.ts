// The rows of the message list.

import { isActive } from "../conversation.js";
import type { Message } from "../schema.js";
import type { Unsent } from "./chat.js";
import { button, h, icon, setChildren } from "./dom.js";
import type { Labels } from "./labels.js";
import { Content, type FileList, type MarkdownModule } from "./markdown.js";

const COPY = "M8 7V3h13v14h-4v4H3V7zm2 0h7v8h2V5h-9zM5 9v10h10V9z";
const GOOD = "M2 10h4v11H2zm6 0 4-8c2 0 3 1 3 3l-1 4h6c1 0 2 1 2 2l-2 8c0 1-1 2-2 2H8z";
const BAD = "M22 14h-4V3h4zm-6 0-4 8c-2 0-3-1-3-3l1-4H4c-1 0-2-1-2-2l2-8c0-1 1-2 2-2h10z";

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

export class Row {
  readonly element: HTMLLIElement;
  #context: RowContext;
  #body = h("div", "body", { className: "body", dir: "auto" });
  #footer = h("footer", "actions");
  #content: Content | undefined;
  #state = "";
  #text: string | undefined;
  #items: Message["items"];
  #files: HTMLElement | true | undefined; // the list of the message's files; true: it is being loaded

  constructor(context: RowContext, isReply: boolean) {
    const { labels } = context;
    const author = h("h3", "", { className: "hidden" }, isReply ? labels.reply : labels.you);
    const content = h("div", "", { className: "content" }, this.#body);
    this.#context = context;
    this.element = h("li", `message ${isReply ? "reply" : "user"}`, { className: isReply ? "reply" : "user" }, author, content, this.#footer);
    if (isReply) this.#content = new Content(content, this.#body, context.markdown());
  }

  drawReply(message: Message, isLast: boolean): void {
    const { id, seq, status, content, items, wait } = message;
    const isBusy = isActive(message);
    const state = [seq, status, isLast, wait?.reason].join();
    if (state === this.#state) return;
    this.#state = state;
    if (content !== this.#text || items !== this.#items || !isBusy) this.#content!.show(message, !isBusy);
    [this.#text, this.#items] = [content, items];
    this.element.id = id;
    this.element.ariaBusy = `${isBusy}`;
    const note = h("span", "note", {}, noteOf(message, this.#context.labels));
    setChildren(this.#footer, [note, ...(isBusy ? [] : this.#buttons(message, isLast))]);
  }

  /** Show a message. The names of its files stand for them until the list is loaded. */
  drawUser(message: Pick<Message, "content" | "parts">): void {
    const { content, parts = [] } = message;
    const list = typeof this.#files === "object";
    const named = parts.filter(({ type, url }) => type !== "text" && (url || !list));
    const text = [content, ...named.map(({ type, filename, url }) => `[${type}: ${filename ?? url}]`)].filter(Boolean).join("\n");
    if (this.#body.textContent !== text) this.#body.textContent = text;
    if (this.#files || !parts.some(({ file_id }) => file_id)) return;
    this.#files = true;
    this.#context.files().then(
      (files) => {
        this.#body.after((this.#files = files.element(message)));
        this.drawUser(message);
      },
      () => {},
    );
  }

  drawUnsent({ key, content, error }: Unsent): void {
    const { labels, actions } = this.#context;
    this.drawUser({ content });
    const state = error ? error.message : "sending";
    if (state === this.#state) return;
    this.#state = state;
    const note = h("span", "note", {}, error ? `${labels.notSent} ${error.message}` : labels.sending);
    this.element.classList.toggle("rejected", Boolean(error));
    const buttons = error
      ? [
          button("action", labels.retry, () => actions.resend(key)),
          button("action", labels.discard, () => actions.discard(key)),
        ]
      : [];
    setChildren(this.#footer, [note, ...buttons]);
  }

  #buttons({ id, content, status, feedback, finish_reason }: Message, isLast: boolean): HTMLElement[] {
    const { labels, actions } = this.#context;
    const buttons: HTMLButtonElement[] = [];
    if (content) {
      const copy: HTMLButtonElement = button("action", labels.copy, () => actions.copy(content, copy), icon(COPY));
      buttons.push(copy, ...this.#ratings(id, feedback?.rating));
    }
    if (!isLast) return buttons;
    const hasFailed = status === "failed" || status === "expired";
    if (finish_reason === "length") buttons.push(button("action", labels.continue, () => actions.continue()));
    buttons.push(button("action", hasFailed ? labels.retry : labels.regenerate, () => actions.regenerate(id)));
    return buttons;
  }

  #ratings(id: string, current: string | undefined): HTMLButtonElement[] {
    const { labels, actions } = this.#context;
    const create = (rating: "up" | "down", label: string, d: string) => {
      const isPressed = rating === current;
      const pressed = button("action", label, () => actions.rate(id, isPressed ? null : rating), icon(d));
      pressed.ariaPressed = `${isPressed}`;
      return pressed;
    };
    return [create("up", labels.good, GOOD), create("down", labels.bad, BAD)];
  }
}

/** Why a reply has no text yet, or is missing or partial. */
export function noteOf({ status, content, wait, error, finish_reason }: Message, labels: Labels): string {
  if (status === "in_progress") return content ? "" : labels.thinking;
  if (status === "queued") {
    if (wait?.position) return labels.queued;
    const reasons: Record<string, string> = { model_loading: labels.modelLoading, rate_limited: labels.modelBusy };
    return reasons[wait?.reason ?? ""] ?? labels.waiting;
  }
  const ends: Record<string, string> = { length: labels.tooLong, content_filter: labels.filtered };
  return error?.message ?? ends[finish_reason ?? ""] ?? (labels as Record<string, string>)[status] ?? "";
}
