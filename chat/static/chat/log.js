// The messages on the page. Each keeps its element, so that only what has changed is drawn again.

import { serverNow } from "./api.js";
import { OPEN } from "./conversation.js";
import { button, copier, make } from "./dom.js";
import { Prose } from "./markdown.js";

const ENDINGS = {
  cancelled: "Stopped.",
  expired: "This waited too long for its turn.",
  failed: "There is no reply.",
};
const CUT_OFF = {
  length: "Cut off: the reply has reached its greatest length.",
  content_filter: "Cut off by the model's content filter.",
};

export class Log {
  // acts: regenerate(id), resend(key), discard(key)
  constructor(list, acts) {
    this.list = list;
    this.acts = acts;
    this.drawn = new Map(); // id -> { row, message, note, ... }
    this.pending = make("ol", { className: "pending" });
  }

  // Draw what has changed of the messages (in order) and of the outbox.
  draw(messages, outbox) {
    const newest = new Map(); // user message -> its newest reply
    messages.forEach(({ id, reply_to }) => reply_to && newest.set(reply_to, id));
    const ids = new Set(messages.map(({ id }) => id));
    for (const [id, { row }] of this.drawn) if (!ids.has(id)) (row.remove(), this.drawn.delete(id));
    let position = 0;
    let before = null; // the row that stands before
    for (const message of messages) {
      const entry = this.drawn.get(message.id) ?? this.add(message, before);
      before = entry.row;
      if (message.role !== "assistant") continue;
      const isLast = message === messages.at(-1);
      const ahead = OPEN.has(message.status) ? position++ : 0;
      const isEarlier = newest.get(message.reply_to) !== message.id;
      this.update(entry, message, { isLast, ahead, isEarlier });
    }
    this.drawOutbox(outbox);
  }

  add(message, before) {
    const isReply = message.role === "assistant";
    const row = make("li", { className: `message ${message.role}`, id: message.id });
    const who = make("h2", { className: "sr" }, isReply ? "Reply" : "You");
    const body = make("div", { className: "body" });
    const entry = { row, body };
    if (isReply) {
      entry.prose = new Prose(body);
      entry.note = make("span", { className: "note" });
      entry.foot = make("footer", {}, entry.note);
      row.append(who, body, entry.foot);
    } else {
      body.textContent = message.content;
      row.append(who, body);
    }
    if (before) before.after(row);
    else this.list.prepend(row);
    this.drawn.set(message.id, entry);
    return entry;
  }

  update(entry, message, place) {
    const { row, prose, note } = entry;
    const isOpen = OPEN.has(message.status);
    entry.message = message;
    note.textContent = isOpen ? waiting(message, place.ahead) : ended(message);
    const state = [message.seq, message.status, place.isLast, place.isEarlier].join();
    if (state === entry.state) return;
    if (message.content !== entry.content || !isOpen) prose.show(message.content, !isOpen);
    Object.assign(entry, { state, content: message.content });
    row.dataset.status = message.status;
    row.classList.toggle("earlier", place.isEarlier);
    row.setAttribute("aria-busy", String(isOpen));
    this.drawButtons(entry, message, place);
  }

  drawButtons(entry, message, { isLast, isEarlier }) {
    const buttons = [];
    const isOpen = OPEN.has(message.status);
    if (isEarlier) {
      const open = () => toggle.setAttribute("aria-expanded", String(entry.row.classList.toggle("shown")));
      const toggle = button("Earlier reply", "quiet", open);
      toggle.setAttribute("aria-expanded", String(entry.row.classList.contains("shown")));
      buttons.push(toggle);
    }
    if (message.content && !isOpen) buttons.push(copier(() => entry.message.content, "Copy reply"));
    if (isLast && !isOpen) {
      const hasFailed = message.status === "failed" || message.status === "expired";
      const again = () => this.acts.regenerate(message.id);
      buttons.push(button(hasFailed ? "Try again" : "Regenerate", "quiet", again));
    }
    entry.foot.replaceChildren(entry.note, ...buttons);
  }

  drawOutbox(outbox) {
    const rows = outbox.map(({ key, content, error }) => {
      const row = make("li", { className: "message user" }, make("div", { className: "body" }, content));
      const foot = make("footer", {}, make("span", { className: "note" }, error ? `Not sent: ${error.message}` : "Sending…"));
      if (error) {
        foot.append(
          button("Send again", "quiet", () => this.acts.resend(key)),
          button("Discard", "quiet", () => this.acts.discard(key)),
        );
      }
      row.append(foot);
      return row;
    });
    this.pending.replaceChildren(...rows);
    this.list.after(this.pending);
  }
}

function waiting({ status, wait, content }, ahead) {
  if (status === "in_progress") return content ? "" : "Thinking…";
  if (ahead) return `Waiting: ${ahead} ${ahead === 1 ? "reply" : "replies"} before this one.`;
  const seconds = wait?.retry_at ? Math.ceil(wait.retry_at - serverNow()) : 0;
  const when = seconds > 0 ? ` Next try in ${seconds} s.` : "";
  if (wait?.reason === "model_loading") return `The model is loading.${when}`;
  if (wait?.reason === "rate_limited") return `The model is busy.${when}`;
  return "Waiting for a free worker…";
}

function ended({ status, error, finish_reason }) {
  if (error) return error.message;
  if (status === "incomplete") return CUT_OFF[finish_reason] ?? "The reply was cut off.";
  return ENDINGS[status] ?? "";
}
