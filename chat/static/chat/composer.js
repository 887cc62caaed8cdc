// The message field: its size, draft, limits, attached texts and files.

import { $, button, createElement, updateChildren } from "./dom.js";
import { kindOf, labelOfFile, sizeText } from "./files.js";
import { config } from "./server.js";
import * as sessions from "./sessions.js";

const LONG_PASTE = 10_000; // characters; browsers need seconds to lay out a very long text in a field
const AUTOSIZED = 5_000; // characters up to which the field's height follows its text
const SAVE_DELAY = 300; // ms
const NEARLY_FULL = 0.8; // share of a limit from which the length is shown
const hasFieldSizing = CSS.supports("field-sizing", "content");
const format = (number) => number.toLocaleString("en");

export class Composer {
  attachments = []; // {name, text} of texts; {name, size, kind, file} of images and PDFs, later with a part
  unsaved = new Map(); // id of a session -> its attachments that localStorage cannot hold
  id = null; // of the session whose draft this is; "" for a new chat, null before the first one
  saveTimer = 0;

  // page: send(), announce(text), fail(message), attempt(action), inputs()
  constructor(page) {
    Object.assign(this, page);
    this.field = $("text");
    this.field.addEventListener("input", () => this.changed());
    this.field.addEventListener("keydown", (event) => this.onKey(event));
    this.field.addEventListener("paste", (event) => this.onTransfer(event, event.clipboardData));
    $("picker").addEventListener("change", () => this.attachAll($("picker").files));
    addEventListener("dragover", (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());
    addEventListener("drop", (event) => this.onDrop(event));
    addEventListener("pagehide", () => this.save());
  }

  // The whole message: the field's text, then the attached texts.
  get content() {
    const texts = this.attachments.filter(({ text }) => text);
    const attached = texts.map(({ name, text }) => (name ? `${name}:\n\n${text}` : text));
    return [this.field.value, ...attached].filter((text) => text.trim()).join("\n\n");
  }

  // Attached images and PDFs.
  get files() {
    return this.attachments.filter(({ kind }) => kind);
  }

  // Show the draft of a session.
  open(id) {
    this.save();
    this.id = id;
    const draft = sessions.draft(id);
    this.set(draft.text ?? draft, [...(draft.attachments ?? []), ...(this.unsaved.get(id) ?? [])]);
  }

  set(text, attachments = []) {
    this.field.value = text;
    this.attachments = attachments;
    this.changed();
    this.save();
  }

  // Add text in front of the field's, and attachments.
  prepend(text, attachments = []) {
    this.set([text, this.field.value].filter(Boolean).join("\n"), [...attachments, ...this.attachments]);
  }

  // Return a message that could not be sent to the draft of its session.
  restore(id, text, attachments) {
    if (id === this.id) return this.prepend(text, attachments);
    sessions.saveDraft(id, text);
    this.unsaved.set(id, attachments);
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
    const attachments = this.attachments.filter(({ file }) => !file);
    this.unsaved.set(this.id, this.files.filter(({ file }) => file));
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
    $("counter").textContent = isNear ? `${format(used)} of ${format(limit)} ${unit}` : "";
    $("counter").classList.toggle("over", isOver);
    $("send").disabled = isOver || !(content || this.files.length);
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
      this.attachAll(transfer.files);
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

  attachAll(files) {
    void this.attempt(async () => {
      for (const file of files) await this.attachFile(file);
    });
    $("picker").value = "";
  }

  async attachFile(file) {
    const { name, size } = file;
    const { maxFileBytes, maxContentBytes } = config;
    const kind = size > Math.max(maxFileBytes, maxContentBytes) ? "image" : await kindOf(file);
    const limit = kind === "text" ? maxContentBytes : maxFileBytes;
    if (!kind) return this.fail(`${name} is not an image, a PDF or a text file.`);
    if (size > limit) return this.fail(`${name} is too large: ${sizeText(size)}. The maximum is ${sizeText(limit)}.`);
    if (kind === "text") return this.attach({ name, text: await file.text() });
    const nouns = { image: "images", file: "PDF files" };
    if (!(await this.inputs()).includes(kind)) return this.fail(`This model does not read ${nouns[kind]}.`);
    this.attach({ name, size, kind, file });
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

const labelOf = ({ name, text, size }) =>
  text ? `${name || "pasted text"}, ${format(text.length)} characters` : labelOfFile({ name, size });

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
