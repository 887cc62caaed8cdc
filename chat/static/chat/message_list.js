// The list of messages. Each message keeps its row; only changed rows are drawn.

import { isActive } from "./client.js";
import { button, createElement, updateChildren } from "./dom.js";
import { Markdown } from "./markdown.js";
import { Reasoning, splitReasoning } from "./reasoning.js";
import { outcomeText, retryCountdown, waitText } from "./reply_status.js";

const NEAR = 80; // pixels from an end of the list that count as its end

export class MessageList {
  isAtEnd = true; // if true, the list stays scrolled to its end
  top = 0; // last scroll position
  rows = new Map(); // message id, or idempotency key of an unsent message -> its row
  expanded = new Set(); // ids of earlier replies that are shown

  // box: the scrolling element; list: the parent of the rows; onScroll(isAtStart)
  constructor(box, list, onScroll) {
    Object.assign(this, { box, list });
    box.addEventListener("scroll", () => onScroll(this.scrolled()), { passive: true });
    const sizes = new ResizeObserver(() => this.isAtEnd && this.scrollToEnd());
    for (const each of [box, list]) sizes.observe(each);
  }

  clear() {
    this.rows.clear();
    this.expanded.clear();
    this.list.replaceChildren();
    this.isAtEnd = true;
  }

  scrollToEnd() {
    this.isAtEnd = true;
    this.box.scrollTop = this.box.scrollHeight;
  }

  // Update `isAtEnd`, which only scrolling up resets. Return whether the start has been reached.
  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    const isNear = scrollHeight - scrollTop - clientHeight < NEAR;
    this.isAtEnd = isNear || (this.isAtEnd && scrollTop >= this.top);
    this.top = scrollTop;
    return scrollTop < NEAR && !this.isAtEnd;
  }

  // Show or hide an earlier reply, without scrolling to the end.
  toggle(id) {
    if (!this.expanded.delete(id)) this.expanded.add(id);
    this.isAtEnd = false;
  }

  // Draw the changes in messages (in order) and unsent messages.
  draw(messages, unsent) {
    const { box, list } = this;
    const first = list.firstChild;
    const distanceToEnd = box.scrollHeight - box.scrollTop;
    const rows = [...this.drawMessages(messages), ...unsent.map((entry) => this.drawUnsent(entry))];
    updateChildren(list, rows);
    for (const [id, { row }] of this.rows) if (!row.isConnected) this.rows.delete(id);
    const hasOlderRows = first?.isConnected && first !== list.firstChild;
    if (this.isAtEnd) this.scrollToEnd();
    else if (hasOlderRows) box.scrollTop = box.scrollHeight - distanceToEnd; // keep the visible rows
  }

  drawMessages(messages) {
    const newest = new Map(); // id of a user message -> id of its newest reply
    messages.forEach(({ id, reply_to }) => reply_to && newest.set(reply_to, id));
    let active = 0;
    return messages.map((message) => {
      const entry = this.entry(message.id, message);
      if (message.role === "assistant") {
        const isLast = message === messages.at(-1);
        const isEarlier = newest.get(message.reply_to) !== message.id;
        const ahead = isActive(message) ? active++ : 0;
        this.drawReply(entry, message, { isLast, isEarlier, ahead });
      }
      return entry.row;
    });
  }

  entry(id, { role, content }) {
    if (this.rows.has(id)) return this.rows.get(id);
    const isReply = role === "assistant";
    const body = createElement("div", { className: "body" }, isReply ? "" : content);
    const footer = createElement("footer");
    const author = createElement("h2", { className: "sr-only" }, isReply ? "Reply" : "You");
    const row = createElement("li", { className: `message ${role}`, id }, author, body, footer);
    const entry = { row, footer };
    if (isReply) {
      Object.assign(entry, { markdown: new Markdown(body), reasoning: new Reasoning() });
      body.before(entry.reasoning.element);
    }
    this.rows.set(id, entry);
    return entry;
  }

  drawReply(entry, message, { isLast, isEarlier, ahead }) {
    const { id, status, content, seq } = message;
    const isBusy = isActive(message);
    const isCollapsed = isEarlier && !this.expanded.has(id);
    const note = isBusy ? waitText(message, ahead) + retryCountdown(message) : outcomeText(message);
    const state = [seq, status, isLast, isEarlier, isCollapsed, note].join();
    if (state === entry.state) return;
    const { row, footer, markdown, reasoning } = entry;
    if (content !== entry.content || !isBusy) {
      const [thoughts, text] = splitReasoning(content);
      reasoning.show(thoughts, !isBusy);
      markdown.show(text, !isBusy);
    }
    Object.assign(entry, { state, content });
    Object.assign(row.dataset, { status });
    row.classList.toggle("earlier", isEarlier);
    row.classList.toggle("collapsed", isCollapsed);
    row.ariaBusy = isBusy;
    const buttons = [];
    if (isEarlier) buttons.push(button("Earlier reply", "toggle", { value: id, ariaExpanded: !isCollapsed }));
    if (content && !isBusy) buttons.push(button("Copy", "copy", { value: id, ariaLabel: "Copy reply" }));
    if (isLast && !isBusy) {
      const hasFailed = status === "failed" || status === "expired";
      buttons.push(button(hasFailed ? "Try again" : "Regenerate", "regenerate", { value: id }));
    }
    updateChildren(footer, [createElement("span", { className: "note" }, note), ...buttons]);
  }

  drawUnsent({ key, content, error }) {
    const { row, footer } = this.entry(key, { role: "user pending", content });
    const text = error ? `Not sent: ${error.message}` : "Sending…";
    const note = createElement("span", { className: "note" }, text);
    const buttons = [
      button("Send again", "resend", { value: key }),
      button("Edit", "edit", { value: key }),
      button("Discard", "discard", { value: key }),
    ];
    updateChildren(footer, error ? [note, ...buttons] : [note]);
    row.classList.toggle("rejected", Boolean(error));
    return row;
  }
}
