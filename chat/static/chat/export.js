// Exports of a chat as a file.

import { createElement } from "./dom.js";
import { asText } from "./files.js";

const ROLES = { user: "You", assistant: "Reply", system: "Instructions" };

export const asJSON = (name, messages) => JSON.stringify({ name, messages }, null, 2);

export function asMarkdown(name, messages) {
  const parts = messages.map((message) => `## ${ROLES[message.role]}\n\n${asText(message)}\n`);
  return [`# ${name}\n`, ...parts].join("\n");
}

// Let the browser save a text as a file.
export function download(name, extension, type, text) {
  const href = URL.createObjectURL(new Blob([text], { type }));
  const file = `${name.replace(/[^\p{L}\p{N} _-]+/gu, "").trim() || "chat"}.${extension}`;
  createElement("a", { href, download: file }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
