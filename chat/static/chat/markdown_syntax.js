// Additions to Markdown as models write it: formulas and footnotes.

const MAX_FORMULA = 5_000; // characters that are searched for the end of a formula
const MATHS = /\\[([]|\$\$/;
const BLOCK_END = { "\\[": "\\]", "$$": "$$" };
const INLINE_END = { "\\(": "\\)", ...BLOCK_END };
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

export const escapeHTML = (text) => text.replace(/[&<>"']/g, (char) => ESCAPES[char]);
export const hasMaths = (text) => MATHS.test(text);

const state = { hasMaths: false, isGrowing: false }; // of the text that is being parsed

// Tell the extensions about the text that is parsed next. Searching a text without formulas for their
// start would take time that grows with its square.
export function prepare(text, isGrowing) {
  Object.assign(state, { hasMaths: hasMaths(text), isGrowing });
}

const formulaHTML = ({ tag, isDisplay, source }) =>
  `<${tag} class="math${isDisplay ? " display" : ""}">${escapeHTML(source)}</${tag}>`;

// Return the formula at the start of a text.
function readFormula(text, ends) {
  const start = text.slice(0, 2);
  if (!(start in ends)) return undefined;
  const end = text.slice(2, MAX_FORMULA).indexOf(ends[start]);
  const source = text.slice(2, 2 + end).trim();
  return end > 0 && source ? { raw: text.slice(0, end + 4), source, isDisplay: start !== "\\(" } : undefined;
}

const inlineFormula = {
  name: "inlineFormula",
  level: "inline",
  // A text ends before a backslash anyway.
  start: (text) => (state.hasMaths ? indexOrNone(text.slice(0, MAX_FORMULA).indexOf("$$")) : undefined),
  tokenizer(text) {
    const formula = state.hasMaths && readFormula(text, INLINE_END);
    return formula ? { type: "inlineFormula", tag: "span", ...formula } : undefined;
  },
  renderer: formulaHTML,
};

// A formula on separate lines, which may look like a list or a heading.
const blockFormula = {
  name: "blockFormula",
  level: "block",
  start(text) {
    if (!state.hasMaths) return undefined;
    return indexOrNone(text.slice(0, MAX_FORMULA).search(/\n *(?:\\\[|\$\$)/));
  },
  tokenizer(text) {
    const indent = /^\n? {0,3}/.exec(text)[0];
    const rest = text.slice(indent.length);
    if (!state.hasMaths || !(rest.slice(0, 2) in BLOCK_END)) return undefined;
    const formula = readFormula(rest, BLOCK_END);
    if (formula) {
      const space = /^[ \t]*(?:\n|$)/.exec(rest.slice(formula.raw.length))?.[0];
      if (space === undefined) return undefined; // text follows on the same line
      return { type: "blockFormula", tag: "div", ...formula, raw: indent + formula.raw + space };
    }
    const isOpen = state.isGrowing && rest.length < MAX_FORMULA && !rest.includes("\n\n");
    return isOpen ? { type: "plain", raw: text } : undefined;
  },
  renderer: formulaHTML,
};

// The start of a formula whose end has not arrived, or what is not parsed.
const plain = {
  name: "plain",
  renderer: ({ tag = "p", raw }) => `<${tag} class="plain">${escapeHTML(raw)}</${tag}>`,
};

const footnote = {
  name: "footnote",
  level: "block",
  tokenizer(text) {
    const found = /^\[\^([^\]\s]{1,40})\]:[ \t]*([^\n]+(?:\n(?!\[\^)[^\n]+)*)(?:\n|$)/.exec(text);
    if (!found) return undefined;
    return { type: "footnote", raw: found[0], label: found[1], tokens: this.lexer.inline(found[2]) };
  },
  renderer({ label, tokens }) {
    return `<p class="footnote"><sup>${escapeHTML(label)}</sup> ${this.parser.parseInline(tokens)}</p>`;
  },
};

const footnoteReference = {
  name: "footnoteReference",
  level: "inline",
  tokenizer(text) {
    const found = /^\[\^([^\]\s]{1,40})\](?![(:])/.exec(text);
    return found ? { type: "footnoteReference", raw: found[0], label: found[1] } : undefined;
  },
  renderer: ({ label }) => `<sup>${escapeHTML(label)}</sup>`,
};

const indexOrNone = (index) => (index < 0 ? undefined : index);

export const extensions = [inlineFormula, blockFormula, plain, footnote, footnoteReference];
