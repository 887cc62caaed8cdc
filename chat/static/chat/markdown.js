// Renders a reply's Markdown while it grows. Replies are untrusted: HTML is shown as text, images are
// replaced by their names, and only http(s) and mailto links are allowed.

import { addHeader, highlightLater } from "./code_block.js";
import { createElement, updateChildren } from "./dom.js";
import { affordable, isTooSlow, MAX_ELEMENTS, startBudget, tokenizers } from "./markdown_limits.js";
import { escapeHTML as escape, extensions, prepare } from "./markdown_syntax.js";
import { drawFormulas, markFormula } from "./maths.js";
import DOMPurify from "./vendor/dompurify.js";
import { Lexer, Marked } from "./vendor/marked.js";

const marked = new Marked({
  gfm: true,
  breaks: true,
  extensions,
  tokenizer: {
    ...tokenizers,
    // Models write ~ for "about".
    del: (rest) => (rest.startsWith("~~") ? false : undefined),
  },
  renderer: {
    html: ({ text }) => escape(text),
    heading({ tokens, depth }) {
      const level = Math.min(depth + 2, 6); // below the page's own headings
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
    },
    image: ({ text, href }) => `<em>[image: ${escape(text || href)}]</em>`,
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    code({ text, lang = "" }) {
      const language = /^[\w+#.-]{0,20}/.exec(lang)[0];
      return `<pre><code class="${language}">${escape(text)}\n</code></pre>`;
    },
  },
});

const SANITIZER = {
  ALLOWED_TAGS: (
    "a blockquote br code del div em h1 h2 h3 h4 h5 h6 hr li ol p pre span strong sup table tbody td th " +
    "thead tr ul"
  ).split(" "),
  ALLOWED_ATTR: ["align", "class", "href", "start", "title"],
  ADD_URI_SAFE_ATTR: ["align", "start"], // all others must match ALLOWED_URI_REGEXP
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

export class Markdown {
  text = "";
  stableLength = 0; // characters of blocks that cannot change anymore
  stableNodes = 0; // number of their nodes
  elements = 0; // number of their elements, about
  isFull = false; // whether the text after them would take too many elements
  links = {};
  spent = { highlighting: 0 }; // ms

  constructor(root) {
    this.root = root;
  }

  // Show the text. Only text after the last stable block is parsed again, so the cost of a delta does
  // not depend on the length of the reply.
  show(text, isFinal) {
    const clean = text.replace(/\r\n?/g, "\n");
    if (!clean.startsWith(this.text)) Object.assign(this, new Markdown(this.root));
    this.text = clean;
    const [stable, growing] = this.render(clean.slice(this.stableLength), isFinal);
    updateChildren(this.root, [...stable, ...growing], this.stableNodes);
    this.stableNodes += stable.length;
    if (this.root.querySelector(".math:not(.drawn)")) void drawFormulas(this.root);
    if (this.root.querySelector(".code")) void highlightLater(this.root, this.spent);
  }

  // Return the nodes of stable blocks and of growing blocks.
  render(rest, isFinal) {
    const plain = () => [[], [createElement("p", { className: "plain" }, rest)]];
    if ((this.isFull && !isFinal) || isTooSlow(rest)) return plain();
    prepare(rest, !isFinal);
    startBudget(rest);
    try {
      const lexer = new Lexer(marked.defaults);
      lexer.tokens.links = this.links;
      const tokens = lexer.lex(rest);
      const counts = affordable(tokens, MAX_ELEMENTS - this.elements);
      this.isFull = counts.length < tokens.length;
      if (this.isFull) {
        const others = tokens.splice(counts.length);
        tokens.push({ type: "plain", raw: others.map(({ raw }) => raw).join("") });
      }
      const end = isFinal ? tokens.length : tokens.findLastIndex(({ type }) => type !== "space");
      const stable = tokens.splice(0, Math.max(end, 0));
      const nodes = [this.renderBlocks(stable, false), this.renderBlocks(tokens, true)];
      this.stableLength += stable.reduce((sum, { raw }) => sum + raw.length, 0);
      this.elements += counts.slice(0, stable.length).reduce((sum, count) => sum + count, 0);
      return nodes;
    } catch {
      return plain(); // a stack overflow by nesting that is not checked before
    }
  }

  // Return the nodes of blocks.
  renderBlocks(tokens, isGrowing) {
    if (!tokens.length) return [];
    const fragment = DOMPurify.sanitize(marked.parser(tokens), SANITIZER);
    for (const link of fragment.querySelectorAll("a")) {
      Object.assign(link, { target: "_blank", rel: "noopener noreferrer nofollow" });
    }
    for (const table of fragment.querySelectorAll("table")) makeScrollable(table);
    for (const pre of fragment.querySelectorAll("pre")) addHeader(pre, isGrowing, this.spent);
    fragment.querySelectorAll(".math").forEach(markFormula);
    return [...fragment.childNodes];
  }
}

// Let a wide table scroll inside its own box, also by keyboard.
function makeScrollable(table) {
  const box = createElement("div", { className: "table", tabIndex: 0, role: "group", ariaLabel: "Table" });
  table.replaceWith(box);
  box.append(table);
}
