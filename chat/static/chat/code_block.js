// Code blocks: a header with the language, buttons, and highlighting. The highlighter is loaded with
// the first block that names a language, and each language with the first block that names it.

import { button, createElement } from "./dom.js";
import { Lazy } from "./lazy.js";
import DOMPurify from "./vendor/dompurify.js";

// The highlighter's time grows with the square of a line or word, and in C# of the block.
const MAX_HIGHLIGHTED = 20_000; // characters
const MAX_HIGHLIGHTED_GROWING = 5_000; // while a block grows, it is highlighted again after every delta
const LONG_LINE = /\w{200}|[^\n]{1000}/;
const MAX_TIME = 1_000; // ms of highlighting for a reply; later blocks stay plain
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

// Add the header to a `pre` element; its code element has the language as its class. spent: an object
// whose `highlighting` are the milliseconds of the reply's blocks so far.
export function addHeader(pre, isGrowing, spent) {
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
  if (!highlighter.value) return;
  if (isGrowing) highlight(box, MAX_HIGHLIGHTED_GROWING);
  else highlightInTime(box, spent);
}

// Load what the blocks below `root` need, and highlight them. Without a connection they stay plain.
export async function highlightLater(root, spent) {
  const names = [...root.querySelectorAll(".code > div > span")].map((each) => each.textContent);
  if (!names.some(needsLoading)) return;
  try {
    await highlighter.load();
    await Promise.all(names.flatMap(modulesOf).map((each) => each.load()));
  } catch {
    return;
  }
  for (const box of root.querySelectorAll(".code")) highlightInTime(box, spent);
}

function needsLoading(name) {
  if (!name) return false;
  return !highlighter.value || modulesOf(name).some(({ value }) => !value);
}

function highlightInTime(box, spent) {
  if (spent.highlighting > MAX_TIME) return;
  const start = performance.now();
  highlight(box, MAX_HIGHLIGHTED);
  spent.highlighting += performance.now() - start;
}

function highlight(box, maxLength) {
  const { hljs } = highlighter.value;
  const name = box.querySelector("span").textContent;
  const code = box.querySelector("code");
  const text = code.textContent;
  if (!hljs.getLanguage(name) || text.length > maxLength || LONG_LINE.test(text)) return;
  const { value } = hljs.highlight(text, { language: name, ignoreIllegals: true });
  code.replaceChildren(DOMPurify.sanitize(value, SANITIZER));
}
