// The list of chats: search, groups by day, menus, replies that run in other chats, deletion with undo.

import { $, button, createElement, updateChildren } from "./dom.js";
import { lazily } from "./lazy.js";
import { client } from "./server.js";
import * as sessions from "./sessions.js";

const UNDO_TIME = 8_000; // ms
const CHECK_INTERVAL = 5_000; // ms between checks of replies that run in other chats
const EXPIRY_NOTICE = 3 * 86_400; // seconds before its expiry at which a chat says so
const relative = lazily(() => new Intl.RelativeTimeFormat("en", { numeric: "auto" }));

export class Sidebar {
  undoTimer = 0;
  lastDeleted = "";

  // page: current() returns the id of the open chat; deleted(id), restored(id)
  constructor(page) {
    Object.assign(this, page);
    $("search").addEventListener("input", () => this.draw());
    sessions.onChange(() => this.draw());
    setInterval(() => document.hidden || this.checkOthers(), CHECK_INTERVAL);
    addEventListener("online", () => this.forgetDeleted());
    void this.forgetDeleted();
  }

  draw() {
    const wanted = $("search").value.trim().toLowerCase();
    const found = sessions.list().filter(({ name }) => titleOf(name).toLowerCase().includes(wanted));
    found.sort((one, other) => (other.at ?? 0) - (one.at ?? 0));
    const groups = new Map();
    for (const entry of found) {
      const day = dayOf(entry.at);
      groups.set(day, [...(groups.get(day) ?? []), entry]);
    }
    const nodes = [...groups].flatMap(([day, entries]) => [
      createElement("h2", {}, day),
      createElement("ul", {}, ...entries.map((entry) => this.row(entry))),
    ]);
    const isEmpty = wanted && !found.length;
    updateChildren($("sessions"), isEmpty ? [createElement("p", {}, "No chat found.")] : nodes);
  }

  row(entry) {
    const { id, name, isBusy, isUnread } = entry;
    const isCurrent = id === this.current();
    const link = createElement("a", { href: `#${id}` }, createElement("span", {}, titleOf(name)));
    const expiry = expiryText(entry);
    if (expiry) link.append(createElement("small", {}, expiry));
    const row = createElement("li", { className: isCurrent ? "current" : "" }, link);
    if (isCurrent) link.ariaCurrent = "page";
    else if (isBusy || isUnread) {
      const label = isBusy ? "A reply is being written" : "New reply";
      row.append(createElement("span", { className: isBusy ? "dot busy" : "dot", title: label, role: "img", ariaLabel: label }));
    }
    row.append(menu(id, titleOf(name)));
    return row;
  }

  // Update the state of other chats whose replies were active. A chat in another tab does so itself.
  async checkOthers() {
    const others = sessions.list().filter(({ id, isBusy }) => isBusy && id !== this.current());
    for (const { id, token } of others) {
      try {
        const { data } = await client.session(token).messages({ limit: 1, order: "desc" });
        const isBusy = ["queued", "in_progress"].includes(data[0]?.status);
        if (!isBusy) sessions.update(id, { isBusy, isUnread: data.length > 0 });
      } catch (error) {
        if (error.isGone) sessions.update(id, { isBusy: false });
      }
      this.draw();
    }
  }

  // Deletion ----------------------------------------------------------------------------------------

  // Remove a chat from the list. It is deleted on the server when it can no longer be restored.
  delete(id) {
    void this.deleteNow();
    const { name } = sessions.find(id);
    sessions.remove(id);
    this.lastDeleted = id;
    $("notice-text").textContent = `Deleted “${titleOf(name)}”.`;
    $("notice").hidden = false;
    this.undoTimer = setTimeout(() => this.deleteNow(), UNDO_TIME);
    this.deleted(id);
  }

  undo() {
    this.closeNotice();
    sessions.restore(this.lastDeleted);
    this.restored(this.lastDeleted);
  }

  async deleteNow() {
    const isOpen = !$("notice").hidden;
    this.closeNotice();
    if (isOpen) await this.forgetDeleted(0);
  }

  closeNotice() {
    clearTimeout(this.undoTimer);
    $("notice").hidden = true;
  }

  // Delete the removed chats on the server. After a failure this is tried again later.
  async forgetDeleted(minAge = UNDO_TIME) {
    for (const { id, token, deletedAt } of sessions.deleted()) {
      if (Date.now() - deletedAt < minAge) continue;
      const isDone = await client.session(token).delete().then(() => true, (error) => error.isGone);
      if (isDone) sessions.forget(id);
    }
  }
}

export const titleOf = (name) => name || "Untitled";

// When a chat expires, if that is soon; "" otherwise.
export function expiryText({ expires_at: expiresAt }, notice = EXPIRY_NOTICE) {
  if (!expiresAt) return "";
  const seconds = expiresAt - client.now;
  if (seconds > notice) return "";
  if (seconds <= 0) return "Expired";
  const [amount, unit] = seconds < 5400 ? [seconds / 60, "minute"] : seconds < 129_600 ? [seconds / 3600, "hour"] : [seconds / 86_400, "day"];
  return `Expires ${relative().format(Math.max(1, Math.round(amount)), unit)}`;
}

function dayOf(at) {
  if (!at) return "Older";
  const today = new Date().setHours(0, 0, 0, 0);
  if (at * 1000 >= today) return "Today";
  return at * 1000 >= today - 86_400_000 ? "Yesterday" : "Older";
}

function menu(value, title) {
  const item = (text, action, className = "") => button(text, action, { value, className });
  const items = createElement("div", {},
    item("Rename", "rename"),
    item("Export as Markdown", "exportMarkdown"),
    item("Export as JSON", "exportJSON"),
    item("Delete", "delete", "danger"));
  const summary = createElement("summary", { ariaLabel: `Options of ${title}` }, "⋯");
  return createElement("details", { className: "menu" }, summary, items);
}
