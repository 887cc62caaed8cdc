// The reasoning of a reply: its items, or what the model writes before the text: `<think>...</think>`.

import { createElement } from "./dom.js";
import { Markdown } from "./markdown.js";

const START = /^\s*<think(?:ing)?>/;
const END = /<\/think(?:ing)?>\s*/;

// Return the reasoning and the text of a reply, of which both may be growing.
export function splitReasoning({ content, items }) {
  if (items) {
    const parts = items.filter(({ type }) => type === "reasoning").map(({ text }) => text);
    return [parts.join("\n\n"), content];
  }
  const start = START.exec(content)?.[0];
  if (!start) return ["", content];
  const rest = content.slice(start.length);
  const end = END.exec(rest);
  return end ? [rest.slice(0, end.index), rest.slice(end.index + end[0].length)] : [rest, ""];
}

// The collapsed reasoning of a reply.
export class Reasoning {
  constructor() {
    this.body = createElement("div", { className: "reasoning-text" });
    this.element = createElement("details", { className: "reasoning", hidden: true },
      createElement("summary", {}, "Reasoning"), this.body);
    this.markdown = new Markdown(this.body);
    this.element.addEventListener("toggle", () => this.draw());
  }

  show(text, isFinal) {
    Object.assign(this, { text: text.trim(), isFinal });
    this.element.hidden = !this.text;
    this.draw();
  }

  // Collapsed text is not rendered.
  draw() {
    if (this.element.open && this.text !== this.markdown.text) this.markdown.show(this.text, this.isFinal);
  }
}
