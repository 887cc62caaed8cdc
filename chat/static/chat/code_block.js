// Code blocks: a header with the language, buttons, and highlighting. The highlighter is loaded with
// the first block that names a language, further languages with the first block that needs them.

import { button, createElement } from "./dom.js";
import { Lazy } from "./lazy.js";
import DOMPurify from "./vendor/dompurify.js";

const MAX_HIGHLIGHTED = 50_000; // characters
const MAX_HIGHLIGHTED_GROWING = 5_000; // while a block grows, it is highlighted again after every delta
const SANITIZER = { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], RETURN_DOM_FRAGMENT: true };

const highlighter = new Lazy(async () => (await import("./vendor/highlight.js")).default);
const moreLanguages = new Lazy(async () => {
  const languages = (await import("./vendor/highlight-more.js")).default;
  for (const [name, define] of Object.entries(languages)) highlighter.value.registerLanguage(name, define);
  return languages;
});

// Add the header to a `pre` element; its code element has the language as its class.
export function addHeader(pre, isGrowing) {
  const code = pre.querySelector("code");
  const language = code.className;
  code.className = "";
  pre.tabIndex = 0;
  const wrap = button("Wrap", "wrap", { ariaLabel: "Wrap long lines" });
  const copy = button("Copy", "copy", { ariaLabel: "Copy code" });
  const header = createElement("div", {}, createElement("span", {}, language), wrap, copy);
  const box = createElement("div", { className: "code" }, header);
  pre.replaceWith(box);
  box.append(pre);
  if (highlighter.value) highlight(box, isGrowing ? MAX_HIGHLIGHTED_GROWING : MAX_HIGHLIGHTED);
}

// Load what the blocks below `root` need, and highlight them. Without a connection they stay plain.
export async function highlightLater(root) {
  const languages = [...root.querySelectorAll(".code > div > span")].map((each) => each.textContent);
  if (!languages.some(needsLoading)) return;
  try {
    await highlighter.load();
    if (languages.some(needsLoading)) await moreLanguages.load();
  } catch {
    return;
  }
  for (const box of root.querySelectorAll(".code")) highlight(box, MAX_HIGHLIGHTED);
}

function needsLoading(language) {
  if (!language) return false;
  return !highlighter.value || (!moreLanguages.value && !highlighter.value.getLanguage(language));
}

function highlight(box, maxLength) {
  const language = box.querySelector("span").textContent;
  const code = box.querySelector("code");
  if (!highlighter.value.getLanguage(language) || code.textContent.length > maxLength) return;
  const { value } = highlighter.value.highlight(code.textContent, { language, ignoreIllegals: true });
  code.replaceChildren(DOMPurify.sanitize(value, SANITIZER));
}
