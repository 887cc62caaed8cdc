// Renders a reply's Markdown while it grows. Replies are untrusted: HTML is shown as text, images are
// replaced by their names, and only http(s) and mailto links are allowed.

import { addHeader, highlightLater } from "./code_block.js";
import { createElement, updateChildren } from "./dom.js";
import { escapeHTML as escape, extensions, prepare } from "./markdown_syntax.js";
import { drawFormulas, markFormula } from "./maths.js";
import DOMPurify from "./vendor/dompurify.js";
import { Lexer, Marked } from "./vendor/marked.js";

// A browser would take minutes to lay out such nesting.
const TOO_DEEP = /(?:> ?){30}|(?:[*+-] +){30}|\[{100}/;
// The parser's time grows with the square of the length of a run of spaces, and of a run without spaces
// that has many delimiters.
const LONG_SPACE = /[ \t]{300}/;
const LONG_WORD = /\S{2000,}/g;
const MAX_DELIMITERS = 1 / 40; // per character of a long word
// Characters that the parser may search for the ends of emphasis, per character of text and in all.
// Its time would grow with the square of the text; further emphasis is shown as text.
const MAX_SEARCHED_PER_CHARACTER = 100;
const MAX_SEARCHED = 5_000_000;

let searchable = 0; // characters that may still be searched in this rendering

const marked = new Marked({
  gfm: true,
  breaks: true,
  extensions,
  tokenizer: {
    // False stands for the parser's own tokenizer, undefined for text.
    emStrong(rest) {
      searchable -= rest.length;
      return searchable > 0 ? false : undefined;
    },
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
  links = {};

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
    if (this.root.querySelector(".code")) void highlightLater(this.root);
  }

  // Return the nodes of stable blocks and of growing blocks.
  render(rest, isFinal) {
    const plain = () => [[], [createElement("p", { className: "plain" }, rest)]];
    if (TOO_DEEP.test(rest) || LONG_SPACE.test(rest) || hasSlowWord(rest)) return plain();
    prepare(rest, !isFinal);
    searchable = Math.min(MAX_SEARCHED, 20_000 + MAX_SEARCHED_PER_CHARACTER * rest.length);
    try {
      const lexer = new Lexer(marked.defaults);
      lexer.tokens.links = this.links;
      const tokens = lexer.lex(rest);
      const end = isFinal ? tokens.length : tokens.findLastIndex(({ type }) => type !== "space");
      const stable = tokens.splice(0, Math.max(end, 0));
      const nodes = [renderBlocks(stable, false), renderBlocks(tokens, true)];
      this.stableLength += stable.reduce((sum, { raw }) => sum + raw.length, 0);
      return nodes;
    } catch {
      return plain(); // a stack overflow by nesting that TOO_DEEP does not match
    }
  }
}

function hasSlowWord(text) {
  const isSlow = (word) => word.match(/[*_~]/g)?.length > MAX_DELIMITERS * word.length;
  return text.match(LONG_WORD)?.some(isSlow) ?? false;
}

// Return the nodes of blocks.
function renderBlocks(tokens, isGrowing) {
  if (!tokens.length) return [];
  const fragment = DOMPurify.sanitize(marked.parser(tokens), SANITIZER);
  for (const link of fragment.querySelectorAll("a")) {
    Object.assign(link, { target: "_blank", rel: "noopener noreferrer nofollow" });
  }
  for (const table of fragment.querySelectorAll("table")) makeScrollable(table);
  for (const pre of fragment.querySelectorAll("pre")) addHeader(pre, isGrowing);
  fragment.querySelectorAll(".math").forEach(markFormula);
  return [...fragment.childNodes];
}

// Let a wide table scroll inside its own box, also by keyboard.
function makeScrollable(table) {
  const box = createElement("div", { className: "table", tabIndex: 0, role: "group", ariaLabel: "Table" });
  table.replaceWith(box);
  box.append(table);
}
