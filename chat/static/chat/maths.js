// Draws formulas with KaTeX, which is loaded when the first formula appears.

import { createElement } from "./dom.js";
import { Lazy } from "./lazy.js";

const MAX_SOURCE = 2_000; // characters of a formula; longer ones are shown as text
const SLICE = 30; // ms of drawing, after which the page handles its events
const OPTIONS = {
  throwOnError: true, // KaTeX would add a style attribute, which the page's policy forbids
  strict: "ignore",
  trust: false, // no links, images or attributes from the formula
  maxExpand: 100, // a macro may not grow without bound
  maxSize: 20, // em
};

const drawing = new WeakSet(); // elements whose formulas are being drawn

const katex = new Lazy(() => import("./vendor/katex.js"));
const styles = new Lazy(
  () =>
    new Promise((resolve, reject) => {
      const href = new URL("./vendor/katex.css", import.meta.url).href;
      const link = createElement("link", { rel: "stylesheet", href });
      link.onload = resolve;
      link.onerror = () => {
        link.remove();
        reject(new Error(`${href} could not be loaded`));
      };
      document.head.append(link);
    }),
);

// The styles of a page, and the fonts they load, do not reach elements in a shadow tree, and the policy
// of another site may forbid them. MathML needs neither.
const isInPage = (element) => element.getRootNode() === document;

// Prepare an element that contains the source of a formula.
export function markFormula(element) {
  const isDisplay = element.classList.contains("display");
  // `updateChildren` keeps an element with the same key, so a formula is drawn once.
  element.contentKey = `${isDisplay} ${element.textContent}`;
}

// Draw the formulas below `root` that are not drawn yet, a few at a time. Without a connection they
// remain as text.
export async function drawFormulas(root) {
  if (drawing.has(root)) return;
  drawing.add(root);
  try {
    await katex.load(); // until then, a new reply is not in the page yet
    const output = isInPage(root) ? "htmlAndMathml" : "mathml";
    if (isInPage(root)) await styles.load();
    while (!drawSlice(root, output)) await new Promise((resolve) => setTimeout(resolve));
  } catch {
    // The next change of the reply tries to load the library again.
  } finally {
    drawing.delete(root);
  }
}

// Draw for a short time; return whether all formulas are drawn.
function drawSlice(root, output) {
  const end = performance.now() + SLICE;
  for (const element of root.querySelectorAll(".math:not(.drawn)")) {
    if (performance.now() > end) return false;
    drawFormula(element, output);
  }
  return true;
}

function drawFormula(element, output) {
  const source = element.textContent;
  const displayMode = element.classList.contains("display");
  element.classList.add("drawn");
  if (source.length > MAX_SOURCE) return;
  try {
    katex.value.render(source, element, { ...OPTIONS, displayMode, output });
    // A wide formula scrolls in its own box, also by keyboard.
    if (displayMode && element.scrollWidth > element.clientWidth) element.tabIndex = 0;
  } catch {
    element.textContent = source; // invalid or nested too deeply
  }
}
