// The message field: its size, draft, limits and attached text.

import { config } from "./config.js";
import { $, button, createElement, updateChildren } from "./dom.js";
import * as sessions from "./sessions.js";

const LONG_PASTE = 10_000; // characters; browsers need seconds to lay out a very long text in a field
const AUTOSIZED = 5_000; // characters up to which the field's height follows its text
const SAVE_DELAY = 300; // ms
const NEARLY_FULL = 0.8; // share of a limit from which the length is shown
const hasFieldSizing = CSS.supports("field-sizing", "content");
const number = new Intl.NumberFormat("en");

export class Composer {
  attachments = []; // {name, text} of pasted text and dropped files
  id = null; // of the session whose draft this is; "" for a new chat, null before the first one
  saveTimer = 0;

  // page: send(), announce(text), fail(message)
  constructor(page) {
    Object.assign(this, page);
    this.field = $("text");
    this.field.addEventListener("input", () => this.changed());
    this.field.addEventListener("keydown", (event) => this.onKey(event));
    this.field.addEventListener("paste", (event) => this.onTransfer(event, event.clipboardData));
    addEventListener("dragover", (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());
    addEventListener("drop", (event) => this.onDrop(event));
    addEventListener("pagehide", () => this.save());
  }

  // The whole message: the field's text, then the attached texts.
  get content() {
    const attached = this.attachments.map(({ name, text }) => (name ? `${name}:\n\n${text}` : text));
    return [this.field.value, ...attached].filter((text) => text.trim()).join("\n\n");
  }

  // Show the draft of a session.
  open(id) {
    this.save();
    this.id = id;
    const draft = sessions.draft(id);
    this.set(draft.text ?? draft, draft.attachments);
  }

  set(text, attachments = []) {
    this.field.value = text;
    this.attachments = attachments;
    this.changed();
    this.save();
  }

  // Add text in front of the field's.
  prepend(text) {
    this.set([text, this.field.value].filter(Boolean).join("\n"), this.attachments);
  }

  changed() {
    clearTimeout(this.saveTimer);
    this.saveTimer = setTimeout(() => this.save(), SAVE_DELAY);
    this.resize();
    this.drawAttachments();
    this.checkLength();
  }

  save() {
    clearTimeout(this.saveTimer);
    if (this.id === null) return;
    const { value: text } = this.field;
    const { attachments } = this;
    sessions.saveDraft(this.id, attachments.length ? { text, attachments } : text);
  }

  resize() {
    if (hasFieldSizing) return;
    const { field } = this;
    field.style.height = "auto";
    field.style.height = field.value.length < AUTOSIZED ? `${field.scrollHeight}px` : "40vh";
  }

  // Show the length near a limit; a message beyond it cannot be sent.
  checkLength() {
    const { content } = this;
    const { length: used, limit, unit } = measure(content);
    const isOver = used > limit;
    const isNear = used > NEARLY_FULL * limit;
    $("counter").textContent = isNear ? `${number.format(used)} of ${number.format(limit)} ${unit}` : "";
    $("counter").classList.toggle("over", isOver);
    $("send").disabled = !content || isOver;
  }

  onKey(event) {
    // Enter also confirms the characters of an input method; Safari reports that by keyCode 229 only.
    const isComposing = event.isComposing || event.keyCode === 229;
    if (event.key !== "Enter" || event.shiftKey || isComposing) return;
    event.preventDefault();
    if (!$("send").disabled) this.send();
  }

  // Attach files and long text of a paste or a drop; the browser inserts short text.
  onTransfer(event, transfer) {
    const text = transfer.getData("text/plain");
    if (transfer.files.length && !text) {
      event.preventDefault();
      for (const file of transfer.files) void this.attachFile(file);
    } else if (text.length > LONG_PASTE) {
      event.preventDefault();
      this.attach({ name: "", text });
    }
  }

  // The browser would leave the page to show a dropped file.
  onDrop(event) {
    const { dataTransfer: transfer, target } = event;
    if (transfer.files.length) event.preventDefault();
    if (transfer.files.length || target === this.field) this.onTransfer(event, transfer);
  }

  async attachFile(file) {
    if (file.size > config.maxContentBytes) return this.fail(`${file.name} is too large.`);
    const text = await file.text().catch(() => null);
    // U+FFFD replaces bytes that are no UTF-8.
    if (text === null || /[\0\uFFFD]/.test(text)) return this.fail(`${file.name} is not a text file.`);
    this.attach({ name: file.name, text });
  }

  attach(attachment) {
    this.attachments = [...this.attachments, attachment];
    this.changed();
    this.announce(`Attached ${labelOf(attachment)}.`);
    this.field.focus();
  }

  detach(index) {
    this.attachments = this.attachments.filter((_, each) => each !== Number(index));
    this.changed();
  }

  drawAttachments() {
    const rows = this.attachments.map((attachment, value) => {
      const label = labelOf(attachment);
      return createElement("li", {}, label, button("×", "detach", { value, ariaLabel: `Remove ${label}` }));
    });
    updateChildren($("attachments"), rows);
    $("attachments").hidden = !rows.length;
  }
}

const labelOf = ({ name, text }) => `${name || "pasted text"}, ${number.format(text.length)} characters`;

// Return the length of a message in the unit whose limit is nearer.
function measure(content) {
  const { maxContentChars, maxContentBytes } = config;
  const characters = { length: content.length, limit: maxContentChars, unit: "characters" };
  // A UTF-16 code unit takes at most three bytes, so most messages need not be encoded.
  if (3 * content.length <= NEARLY_FULL * maxContentBytes) return characters;
  const bytes = { length: new TextEncoder().encode(content).length, limit: maxContentBytes, unit: "bytes" };
  const isNearer = bytes.length / bytes.limit > characters.length / characters.limit;
  return isNearer ? bytes : characters;
}
