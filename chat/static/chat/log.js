// The messages on the page. Each keeps its row, so that only what has changed is drawn again.

import { OPEN } from "./conversation.js";
import { button, fill, make } from "./dom.js";
import { Prose } from "./markdown.js";
import { countdown, ended, waiting } from "./words.js";

const NEAR = 80; // pixels from an end of the log that count as being there

export class Log {
  isAtEnd = true; // and stays there, whatever grows or shrinks
  top = 0;
  rows = new Map(); // id of a message, or key of one that is not accepted -> its row
  unfolded = new Set(); // ids of earlier replies that are shown

  // box: what scrolls; list: what holds the rows; moved(isAtStart): somebody has scrolled
  constructor(box, list, moved) {
    Object.assign(this, { box, list });
    box.addEventListener("scroll", () => moved(this.scrolled()), { passive: true });
    const sizes = new ResizeObserver(() => this.isAtEnd && this.toEnd());
    for (const each of [box, list]) sizes.observe(each);
  }

  clear() {
    this.rows.clear();
    this.unfolded.clear();
    this.list.replaceChildren();
    this.isAtEnd = true;
  }

  toEnd() {
    this.isAtEnd = true;
    this.box.scrollTop = this.box.scrollHeight;
  }

  // Only who scrolls up leaves the end. Return whether the start has been reached.
  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    const isNear = scrollHeight - scrollTop - clientHeight < NEAR;
    this.isAtEnd = isNear || (this.isAtEnd && scrollTop >= this.top);
    this.top = scrollTop;
    return scrollTop < NEAR && !this.isAtEnd;
  }

  // Show an earlier reply, or hide it; who looks at it is no longer at the end.
  fold(id) {
    if (!this.unfolded.delete(id)) this.unfolded.add(id);
    this.isAtEnd = false;
  }

  // Draw what has changed of the messages (in order) and of those that are not accepted.
  draw(messages, unsent) {
    const { box, list } = this;
    const first = list.firstChild;
    const fromEnd = box.scrollHeight - box.scrollTop;
    fill(list, [...this.accepted(messages), ...unsent.map((entry) => this.unsent(entry))]);
    for (const [id, { row }] of this.rows) if (!row.isConnected) this.rows.delete(id);
    const isExtended = first?.isConnected && first !== list.firstChild;
    if (this.isAtEnd) this.toEnd();
    else if (isExtended) box.scrollTop = box.scrollHeight - fromEnd; // what is read stays where it is
  }

  accepted(messages) {
    const newest = new Map(); // user message -> its newest reply
    messages.forEach(({ id, reply_to }) => reply_to && newest.set(reply_to, id));
    let open = 0;
    return messages.map((message) => {
      const entry = this.entry(message.id, message);
      if (message.role === "assistant") {
        const isLast = message === messages.at(-1);
        const isEarlier = newest.get(message.reply_to) !== message.id;
        const ahead = OPEN.has(message.status) ? open++ : 0;
        this.drawReply(entry, message, { isLast, isEarlier, ahead });
      }
      return entry.row;
    });
  }

  entry(id, { role, content }) {
    if (this.rows.has(id)) return this.rows.get(id);
    const isReply = role === "assistant";
    const body = make("div", { className: "body" }, isReply ? "" : content);
    const foot = make("footer");
    const who = make("h2", { className: "sr" }, isReply ? "Reply" : "You");
    const row = make("li", { className: `message ${role}`, id }, who, body, foot);
    const entry = { row, foot, prose: isReply && new Prose(body) };
    this.rows.set(id, entry);
    return entry;
  }

  drawReply(entry, message, { isLast, isEarlier, ahead }) {
    const { id, status, content, seq } = message;
    const isOpen = OPEN.has(status);
    const isFolded = isEarlier && !this.unfolded.has(id);
    const note = isOpen ? waiting(message, ahead) + countdown(message) : ended(message);
    const state = [seq, status, isLast, isEarlier, isFolded, note].join();
    if (state === entry.state) return;
    const { row, foot, prose } = entry;
    if (content !== entry.content || !isOpen) prose.show(content, !isOpen);
    Object.assign(entry, { state, content });
    Object.assign(row.dataset, { status });
    row.classList.toggle("earlier", isEarlier);
    row.classList.toggle("folded", isFolded);
    row.ariaBusy = isOpen;
    const buttons = [];
    if (isEarlier) buttons.push(button("Earlier reply", "fold", { value: id, ariaExpanded: !isFolded }));
    if (content && !isOpen) buttons.push(button("Copy", "copy", { value: id, ariaLabel: "Copy reply" }));
    if (isLast && !isOpen) {
      const hasFailed = status === "failed" || status === "expired";
      buttons.push(button(hasFailed ? "Try again" : "Regenerate", "regenerate", { value: id }));
    }
    fill(foot, [make("span", { className: "note" }, note), ...buttons]);
  }

  unsent({ key, content, error }) {
    const { row, foot } = this.entry(key, { role: "user pending", content });
    const note = make("span", { className: "note" }, error ? `Not sent: ${error.message}` : "Sending…");
    const buttons = [
      button("Send again", "resend", { value: key }),
      button("Edit", "rewrite", { value: key }),
      button("Discard", "discard", { value: key }),
    ];
    fill(foot, error ? [note, ...buttons] : [note]);
    row.classList.toggle("refused", Boolean(error));
    return row;
  }
}
