// Limits of what rendering a reply may cost. Replies are untrusted: the parser's time may grow with the
// square of the text, and the browser's with the number and the depth of elements. What exceeds a limit
// is shown as plain text.

// A browser would take minutes to lay out such nesting.
const TOO_DEEP = /(?:> ?){30}|(?:[*+-] +){30}|\[{100}/;
const MAX_DEPTH = 40; // of tokens; a list in a list is 4 deep
// The parser's time grows with the square of the length of a run of spaces, and of a run without spaces
// that has many delimiters.
const LONG_SPACE = /[ \t]{300}/;
const LONG_WORD = /\S{2000,}/g;
const MAX_DELIMITERS = 1 / 40; // per character of a long word
// It also grows with the square of the lines that continue an item of a list.
const LONG_ITEM = /^ *(?:[*+-]|\d{1,9}[.)])[ \t][^\n]*(?:\n(?! *(?:[*+-]|\d{1,9}[.)])[ \t])[^\n]+){1000}/m;
// Characters that the parser may search for the ends of emphasis, per character of text and in all.
const MAX_SEARCHED_PER_CHARACTER = 100;
const MAX_SEARCHED = 5_000_000;
// Sum of the remaining characters in each step of the parser through a paragraph, a cell and so on.
const MAX_WORK = 100_000_000;
// Elements of a reply. Browsers create and lay out about 20 in a millisecond.
export const MAX_ELEMENTS = 20_000;
const CODE_CHARACTERS = 20; // characters of code per element of its highlighting, about
const FORMULA_ELEMENTS = 20; // at least

const left = { searches: 0, work: 0, hasLongItem: false }; // of the rendering in progress

// Return whether a text must not be parsed.
export function isTooSlow(text) {
  return TOO_DEEP.test(text) || LONG_SPACE.test(text) || hasSlowWord(text);
}

function hasSlowWord(text) {
  const isSlow = (word) => word.match(/[*_~]/g)?.length > MAX_DELIMITERS * word.length;
  return text.match(LONG_WORD)?.some(isSlow) ?? false;
}

// Start the rendering of a text.
export function startBudget(text) {
  const searches = Math.min(MAX_SEARCHED, 20_000 + MAX_SEARCHED_PER_CHARACTER * text.length);
  Object.assign(left, { searches, work: MAX_WORK, hasLongItem: LONG_ITEM.test(text) });
}

// Replace the parser's own tokenizers where they return anything but false. Undefined means that the
// text is not of that kind.
export const tokenizers = {
  // The parser tries this one first in each step: it may take the rest of a paragraph.
  escape(rest) {
    left.work -= rest.length;
    return left.work > 0 ? false : { type: "plain", tag: "span", raw: rest };
  },
  emStrong(rest) {
    left.searches -= rest.length;
    return left.searches > 0 ? false : undefined;
  },
  list: () => (left.hasLongItem ? undefined : false),
};

// Return the elements of each of the leading blocks that have at most `limit` elements together.
export function affordable(blocks, limit) {
  const counts = [];
  for (const block of blocks) {
    const count = countElements(block);
    limit -= count;
    if (!(limit >= 0)) break;
    counts.push(count);
  }
  return counts;
}

function countElements(token, depth = 0) {
  if (depth > MAX_DEPTH) return Infinity;
  const { type, tokens, items, header, rows, text = "" } = token;
  if (type === "code") return 10 + text.length / CODE_CHARACTERS;
  if (type.endsWith("Formula")) return FORMULA_ELEMENTS + token.raw.length / 2;
  const own = type === "text" || type === "space" || type === "escape" ? 0 : 1;
  const children = [tokens, items, header, ...(rows ?? [])].filter(Boolean);
  return children.flat().reduce((sum, child) => sum + countElements({ type: "cell", ...child }, depth + 1), own);
}
