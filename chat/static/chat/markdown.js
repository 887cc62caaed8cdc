// A reply's Markdown, as it grows. What a model writes is text of a stranger: its HTML is shown, not
// run, its images are named, not fetched, and links lead to the web or to mail and nowhere else.

import { button, fill, make } from "./dom.js";
import DOMPurify from "./vendor/dompurify.js";
import hljs from "./vendor/highlight.js";
import { Lexer, Marked } from "./vendor/marked.js";

const LONGEST_HIGHLIGHT = 50_000; // characters
const LONGEST_GROWING = 5_000; // of code that is coloured again with every delta
// Nested so deep no one writes in earnest, and a browser would lay it out for minutes.
const TOO_DEEP = /(?:> ?){30}|(?:[*+-] +){30}|\[{100}/;
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (text) => text.replace(/[&<>"']/g, (char) => ESCAPES[char]);

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => escape(text),
    heading({ tokens, depth }) {
      const level = Math.min(depth + 2, 6); // below the page's own
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

const ALLOWED = {
  ALLOWED_TAGS: (
    "a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr ul"
  ).split(" "),
  ALLOWED_ATTR: ["align", "class", "href", "start", "title"],
  ADD_URI_SAFE_ATTR: ["align", "start"], // all others have to look like the URIs of the next line
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};
const COLOURS = { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], RETURN_DOM_FRAGMENT: true };

export class Prose {
  text = "";
  settled = 0; // characters of the text whose blocks cannot change any more
  standing = 0; // nodes of those blocks
  links = {};

  constructor(root) {
    this.root = root;
  }

  // Show the text. Only what follows the last settled block is read again, so a long reply costs no
  // more per delta than a short one.
  show(text, isOver) {
    const clean = text.replace(/\r\n?/g, "\n");
    if (!clean.startsWith(this.text)) Object.assign(this, new Prose(this.root));
    this.text = clean;
    const [done, growing] = this.blocks(clean.slice(this.settled), isOver);
    fill(this.root, [...done, ...growing], this.standing);
    this.standing += done.length;
  }

  // Return the nodes of the blocks that are settled, and of those that are not.
  blocks(rest, isOver) {
    const plain = () => [[], [make("p", { className: "plain" }, rest)]];
    if (TOO_DEEP.test(rest)) return plain();
    try {
      const lexer = new Lexer(marked.defaults);
      lexer.tokens.links = this.links;
      const tokens = lexer.lex(rest);
      const growing = isOver ? tokens.length : tokens.findLastIndex(({ type }) => type !== "space");
      const done = tokens.splice(0, Math.max(growing, 0));
      const nodes = [render(done, LONGEST_HIGHLIGHT), render(tokens, LONGEST_GROWING)];
      this.settled += done.reduce((sum, { raw }) => sum + raw.length, 0);
      return nodes;
    } catch {
      return plain(); // nested deeper than the stack, in a way that was not foreseen
    }
  }
}

// Return the nodes that show the blocks; code up to so many characters is coloured.
function render(tokens, longest) {
  if (!tokens.length) return [];
  const fragment = DOMPurify.sanitize(marked.parser(tokens), ALLOWED);
  for (const link of fragment.querySelectorAll("a")) {
    Object.assign(link, { target: "_blank", rel: "noopener noreferrer nofollow" });
  }
  for (const table of fragment.querySelectorAll("table")) frame(table);
  for (const pre of fragment.querySelectorAll("pre")) dress(pre, longest);
  return [...fragment.childNodes];
}

// Let what is too wide scroll by itself, by keyboard too.
function frame(table) {
  const box = make("div", { className: "table", tabIndex: 0, role: "group", ariaLabel: "Table" });
  table.replaceWith(box);
  box.append(table);
}

function dress(pre, longest) {
  const code = pre.querySelector("code");
  const language = code.className;
  code.className = "";
  pre.tabIndex = 0;
  if (hljs.getLanguage(language) && code.textContent.length < longest) {
    const { value } = hljs.highlight(code.textContent, { language, ignoreIllegals: true });
    code.replaceChildren(DOMPurify.sanitize(value, COLOURS));
  }
  const copy = button("Copy", "copy", { ariaLabel: "Copy code" });
  const box = make("div", { className: "code" }, make("div", {}, make("span", {}, language), copy));
  pre.replaceWith(box);
  box.append(pre);
}
