// Code blocks: a header with the language, buttons, and highlighting. The highlighter is loaded with
// the first block that names a language, and each language with the first block that names it.

import { button, createElement } from "./dom.js";
import { Lazy } from "./lazy.js";
import DOMPurify from "./vendor/dompurify.js";

const MAX_HIGHLIGHTED = 50_000; // characters
const MAX_HIGHLIGHTED_GROWING = 5_000; // while a block grows, it is highlighted again after every delta
const SANITIZER = { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], RETURN_DOM_FRAGMENT: true };

const highlighter = new Lazy(async () => {
  const { default: hljs, modules } = await import("./vendor/highlight.js");
  return { hljs, modules: new Map(Object.entries(modules)) };
});
const languages = new Map(); // name of a module -> Lazy

function language(name) {
  if (!languages.has(name)) languages.set(name, new Lazy(() => register(name)));
  return languages.get(name);
}

async function register(name) {
  const { default: define } = await import(`./vendor/languages/${name}.js`);
  highlighter.value.hljs.registerLanguage(name, define);
  return define;
}

// Return what highlights a language: its module, and those of the languages that it may contain.
function modulesOf(name) {
  const names = highlighter.value.modules.get(name.toLowerCase())?.split(" ") ?? [];
  return names.map(language);
}

// Add the header to a `pre` element; its code element has the language as its class.
export function addHeader(pre, isGrowing) {
  const code = pre.querySelector("code");
  const name = code.className;
  code.className = "";
  pre.tabIndex = 0;
  const wrap = button("Wrap", "wrap", { ariaLabel: "Wrap long lines" });
  const copy = button("Copy", "copy", { ariaLabel: "Copy code" });
  const header = createElement("div", {}, createElement("span", {}, name), wrap, copy);
  const box = createElement("div", { className: "code" }, header);
  pre.replaceWith(box);
  box.append(pre);
  if (highlighter.value) highlight(box, isGrowing ? MAX_HIGHLIGHTED_GROWING : MAX_HIGHLIGHTED);
}

// Load what the blocks below `root` need, and highlight them. Without a connection they stay plain.
export async function highlightLater(root) {
  const names = [...root.querySelectorAll(".code > div > span")].map((each) => each.textContent);
  if (!names.some(needsLoading)) return;
  try {
    await highlighter.load();
    await Promise.all(names.flatMap(modulesOf).map((each) => each.load()));
  } catch {
    return;
  }
  for (const box of root.querySelectorAll(".code")) highlight(box, MAX_HIGHLIGHTED);
}

function needsLoading(name) {
  if (!name) return false;
  return !highlighter.value || modulesOf(name).some(({ value }) => !value);
}

function highlight(box, maxLength) {
  const { hljs } = highlighter.value;
  const name = box.querySelector("span").textContent;
  const code = box.querySelector("code");
  if (!hljs.getLanguage(name) || code.textContent.length > maxLength) return;
  const { value } = hljs.highlight(code.textContent, { language: name, ignoreIllegals: true });
  code.replaceChildren(DOMPurify.sanitize(value, SANITIZER));
}
