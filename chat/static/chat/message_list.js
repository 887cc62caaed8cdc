// The list of messages. Each message keeps its row; only changed rows are drawn.

import { isActive } from "./client.js";
import { button, createElement, iconButton, updateChildren } from "./dom.js";
import { asText, FileList } from "./files.js";
import { lazily } from "./lazy.js";
import { ReplyBody } from "./reply_body.js";
import { hasFailed, outcomeText, retryCountdown, waitText } from "./reply_status.js";
import { groupTurns } from "./turns.js";

const NEAR = 80; // pixels from an end of the list that count as its end
const LONG = 6_000; // characters of a user message, of which only the first are shown until asked for
const SHOWN_OF_LONG = 2_000;
const clock = lazily(() => new Intl.DateTimeFormat(undefined, { timeStyle: "short" }));
const fullDate = lazily(() => new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" }));

export class MessageList {
  isAtEnd = true; // if true, the list stays scrolled to its end
  top = 0; // last scroll position
  rows = new Map(); // message id, or idempotency key of an unsent message -> its row
  chosen = new Map(); // the variants that the user has chosen, see `groupTurns`
  expanded = new Set(); // ids of long messages that are shown completely

  // box: the scrolling element; list: the parent of the rows; onScroll(isAtStart);
  // getSession: returns the current session
  constructor(box, list, onScroll, getSession) {
    Object.assign(this, { box, list, files: new FileList(getSession, box) });
    box.addEventListener("scroll", () => onScroll(this.scrolled()), { passive: true });
    const sizes = new ResizeObserver(() => this.isAtEnd && this.scrollToEnd());
    for (const each of [box, list]) sizes.observe(each);
  }

  clear() {
    for (const each of [this.rows, this.chosen, this.expanded, this.files]) each.clear();
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

  // Show another variant. choice: key, id and count of `groupTurns`, joined by spaces.
  choose(choice) {
    const [id, count, ...key] = choice.split(" ");
    this.chosen.set(key.join(" "), { id, count: Number(count) });
    this.isAtEnd = false;
  }

  // Show a long message completely.
  expand(id) {
    this.expanded.add(id);
    this.isAtEnd = false;
  }

  // Draw the changes in messages (in order) and unsent messages.
  draw(messages, unsent) {
    const { box, list } = this;
    const first = list.firstChild;
    const distanceToEnd = box.scrollHeight - box.scrollTop;
    const rows = [...this.drawTurns(messages), ...unsent.map((entry) => this.drawUnsent(entry))];
    updateChildren(list, rows);
    for (const [id, { row }] of this.rows) if (!row.isConnected) this.rows.delete(id);
    const hasOlderRows = first?.isConnected && first !== list.firstChild;
    if (this.isAtEnd) this.scrollToEnd();
    else if (hasOlderRows) box.scrollTop = box.scrollHeight - distanceToEnd; // keep the visible rows
  }

  drawTurns(messages) {
    const active = messages.filter(isActive);
    const turns = groupTurns(messages, this.chosen);
    return turns.flatMap((turn) => {
      const isLast = turn === turns.at(-1);
      const rows = [];
      if (turn.user) rows.push(this.drawUser(turn, isLast && !active.length));
      if (turn.reply) rows.push(this.drawReply(turn, isLast, active.indexOf(turn.reply)));
      return rows;
    });
  }

  entry(id, message) {
    const { role } = message;
    if (this.rows.has(id)) return this.rows.get(id);
    const isReply = role === "assistant";
    const body = createElement("div", { className: "body" });
    const footer = createElement("footer");
    const author = createElement("h2", { className: "sr-only" }, isReply ? "Reply" : "You");
    const row = createElement("li", { className: `message ${role}`, id }, author, body, footer);
    const entry = { row, body, footer };
    if (isReply) entry.reply = new ReplyBody(body);
    else {
      this.showText(entry, id, role === "user" ? shownText(message) : message.content);
      const files = this.files.element(message);
      if (files) body.after(files);
    }
    this.rows.set(id, entry);
    return entry;
  }

  // Show a user's text; a long one is cut, because browsers need seconds to lay it out.
  showText({ body }, id, content) {
    const isCut = content.length > LONG && !this.expanded.has(id);
    if (!isCut) return body.replaceChildren(content);
    const text = `Show all ${content.length.toLocaleString("en")} characters`;
    body.replaceChildren(`${content.slice(0, SHOWN_OF_LONG)}… `, button(text, "expand", { value: id }));
  }

  drawUser({ key, users, user }, canEdit) {
    const { id, created_at: createdAt } = user;
    const entry = this.entry(id, user);
    const state = [canEdit, users.length, this.expanded.has(id)].join();
    if (state === entry.state) return entry.row;
    entry.state = state;
    this.showText(entry, id, shownText(user));
    const buttons = [timeOf(createdAt), iconButton("copy", "Copy message", "copy", { value: id })];
    if (canEdit) buttons.push(iconButton("edit", "Edit message", "editMessage", { value: id }));
    updateChildren(entry.footer, [...variants(key, users, user, "message"), ...buttons]);
    return entry.row;
  }

  drawReply({ user, replies, reply }, isLast, ahead) {
    const { id, status, content, items, seq } = reply;
    const entry = this.entry(id, reply);
    const isBusy = isActive(reply);
    const note = isBusy ? waitText(reply, ahead) + retryCountdown(reply) : outcomeText(reply);
    const state = [seq, status, isLast, replies.length, note].join();
    if (state === entry.state) return entry.row;
    const { row, footer } = entry;
    if (content !== entry.content || items !== entry.items || !isBusy) entry.reply.show(reply, !isBusy);
    Object.assign(entry, { state, content, items });
    Object.assign(row.dataset, { status });
    row.ariaBusy = isBusy;
    const key = `${user?.id ?? reply.reply_to} replies`;
    updateChildren(footer, [
      createElement("span", { className: "note" }, note),
      ...variants(key, replies, reply, "reply"),
      ...(isBusy ? [] : replyButtons(reply, user, isLast)),
    ]);
    return row;
  }

  drawUnsent({ key, content, files = [], error }) {
    const parts = files.map(({ kind: type, name: filename }) => ({ type, filename }));
    const { row, footer } = this.entry(key, { role: "user pending", content: asText({ content, parts }) });
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

// Return the text of a message. Names stand for images that are not files of the session.
function shownText({ content, parts = [] }) {
  return asText({ content, parts: parts.filter(({ url }) => url) });
}

// Return the buttons below a reply that has ended.
function replyButtons(reply, user, isLast) {
  const { id, content, feedback, finish_reason: finishReason, completed_at: completedAt } = reply;
  const buttons = [];
  if (isLast && content && finishReason === "length") buttons.push(button("Continue", "continueReply"));
  if (content) buttons.push(iconButton("copy", "Copy reply", "copy", { value: id }), ...rating(id, feedback));
  const failed = hasFailed(reply);
  if (isLast && !failed) buttons.push(iconButton("again", "Regenerate", "regenerate", { value: id }));
  if (isLast && failed) buttons.push(button("Try again", "regenerate", { value: id }));
  if (!isLast && failed && user) buttons.push(button("Ask again", "askAgain", { value: user.id }));
  return [...buttons, timeOf(completedAt)];
}

function rating(value, feedback) {
  const rated = feedback?.rating;
  const buttons = [
    iconButton("up", "Good reply", "rateUp", { value, ariaPressed: rated === "up" }),
    iconButton("down", "Bad reply", "rateDown", { value, ariaPressed: rated === "down" }),
  ];
  if (rated) buttons.push(button("Comment", "comment", { value }));
  return buttons;
}

// Return the switch between variants, if there are several.
function variants(key, all, shown, noun) {
  if (all.length < 2) return [];
  const index = all.indexOf(shown);
  const toward = (target, icon, label) => iconButton(icon, `${label} ${noun}`, "choose", {
    value: `${target?.id} ${all.length} ${key}`,
    disabled: !target,
  });
  const position = createElement("span", {}, `${index + 1}/${all.length}`);
  const parts = [toward(all[index - 1], "previous", "Previous"), position, toward(all[index + 1], "next", "Next")];
  return [createElement("span", { className: "variants" }, ...parts)];
}

function timeOf(seconds) {
  const date = new Date(seconds * 1000);
  const properties = { dateTime: date.toISOString(), title: fullDate().format(date) };
  return createElement("time", properties, clock().format(date));
}
