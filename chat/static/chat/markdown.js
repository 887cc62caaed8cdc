// Renders a reply's Markdown while it grows. Replies are untrusted: HTML is shown as text, images are
// replaced by their names, and only http(s) and mailto links are allowed.

import { button, createElement, updateChildren } from "./dom.js";
import DOMPurify from "./vendor/dompurify.js";
import hljs from "./vendor/highlight.js";
import { Lexer, Marked } from "./vendor/marked.js";

const MAX_HIGHLIGHTED = 50_000; // characters of a code block
const MAX_HIGHLIGHTED_GROWING = 5_000; // while it grows, it is highlighted again after every delta
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
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (text) => text.replace(/[&<>"']/g, (char) => ESCAPES[char]);

let searchable = 0; // characters that may still be searched in this rendering

const marked = new Marked({
  gfm: true,
  breaks: true,
  tokenizer: {
    // False stands for the parser's own tokenizer, undefined for text.
    emStrong(rest) {
      searchable -= rest.length;
      return searchable > 0 ? false : undefined;
    },
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
    "a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr ul"
  ).split(" "),
  ALLOWED_ATTR: ["align", "class", "href", "start", "title"],
  ADD_URI_SAFE_ATTR: ["align", "start"], // all others must match ALLOWED_URI_REGEXP
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};
const HIGHLIGHT_SANITIZER = { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], RETURN_DOM_FRAGMENT: true };

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
  }

  // Return the nodes of stable blocks and of growing blocks.
  render(rest, isFinal) {
    const plain = () => [[], [createElement("p", { className: "plain" }, rest)]];
    if (TOO_DEEP.test(rest) || LONG_SPACE.test(rest) || hasSlowWord(rest)) return plain();
    searchable = Math.min(MAX_SEARCHED, 20_000 + MAX_SEARCHED_PER_CHARACTER * rest.length);
    try {
      const lexer = new Lexer(marked.defaults);
      lexer.tokens.links = this.links;
      const tokens = lexer.lex(rest);
      const end = isFinal ? tokens.length : tokens.findLastIndex(({ type }) => type !== "space");
      const stable = tokens.splice(0, Math.max(end, 0));
      const nodes = [
        renderBlocks(stable, MAX_HIGHLIGHTED),
        renderBlocks(tokens, MAX_HIGHLIGHTED_GROWING),
      ];
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

// Return the nodes of blocks. Code blocks of up to `maxHighlighted` characters are highlighted.
function renderBlocks(tokens, maxHighlighted) {
  if (!tokens.length) return [];
  const fragment = DOMPurify.sanitize(marked.parser(tokens), SANITIZER);
  for (const link of fragment.querySelectorAll("a")) {
    Object.assign(link, { target: "_blank", rel: "noopener noreferrer nofollow" });
  }
  for (const table of fragment.querySelectorAll("table")) makeScrollable(table);
  for (const pre of fragment.querySelectorAll("pre")) addCodeHeader(pre, maxHighlighted);
  return [...fragment.childNodes];
}

// Let a wide table scroll inside its own box, also by keyboard.
function makeScrollable(table) {
  const box = createElement("div", { className: "table", tabIndex: 0, role: "group", ariaLabel: "Table" });
  table.replaceWith(box);
  box.append(table);
}

// Highlight a code block; add a header with its language and a copy button.
function addCodeHeader(pre, maxHighlighted) {
  const code = pre.querySelector("code");
  const language = code.className;
  code.className = "";
  pre.tabIndex = 0;
  if (hljs.getLanguage(language) && code.textContent.length < maxHighlighted) {
    const { value } = hljs.highlight(code.textContent, { language, ignoreIllegals: true });
    code.replaceChildren(DOMPurify.sanitize(value, HIGHLIGHT_SANITIZER));
  }
  const copy = button("Copy", "copy", { ariaLabel: "Copy code" });
  const header = createElement("div", {}, createElement("span", {}, language), copy);
  const box = createElement("div", { className: "code" }, header);
  pre.replaceWith(box);
  box.append(pre);
}
