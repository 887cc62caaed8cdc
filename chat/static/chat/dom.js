// Creates elements without parsing HTML, and updates them in place.

export const $ = (id) => document.getElementById(id);

export function createElement(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// Change properties that differ. The same value again would also take styles to be computed, and wake
// observers.
export function set(element, properties) {
  for (const [name, value] of Object.entries(properties)) if (element[name] !== value) element[name] = value;
}

// Create a button that runs an action of app.js.
export function button(text, action, properties) {
  const element = createElement("button", { type: "button", className: "quiet", ...properties }, text);
  element.dataset.action = action;
  return element;
}

// Strokes of icons, in a square of 24 units.
const ICONS = {
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  again: "M20 11a8 8 0 1 0-2.3 6.3M20 4v7h-7",
  up: "M7 11v9H4v-9zM7 11l4-8c1.7 0 2.5 1.2 2 3l-.8 3H19l-1.6 11H7",
  down: "M7 13V4H4v9zM7 13l4 8c1.7 0 2.5-1.2 2-3l-.8-3H19L17.4 4H7",
  previous: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
};
const SVG = "http://www.w3.org/2000/svg";

// Create a button that shows an icon and is called `label`.
export function iconButton(icon, label, action, properties) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[icon]);
  svg.append(path);
  return button(svg, action, { className: "icon", ariaLabel: label, title: label, ...properties });
}

// Replace the children of `parent` from index `first` on. Equal children stay in place and are updated
// recursively, so that focus, selection, scroll position and a pressed button are kept. A child with
// the same `contentKey` stays unchanged.
export function updateChildren(parent, nodes, first = 0) {
  nodes.forEach((node, index) => {
    const current = parent.childNodes[first + index] ?? null;
    if (current === node || (current?.contentKey && current.contentKey === node.contentKey)) return;
    if (current?.nodeName === "#text" && node.nodeName === "#text") updateText(current, node.data);
    else if (current?.cloneNode().isEqualNode(node.cloneNode())) {
      updateChildren(current, [...node.childNodes]);
    } else parent.insertBefore(node, current);
  });
  while (parent.childNodes.length > first + nodes.length) parent.lastChild.remove();
}

function updateText(node, text) {
  if (text.startsWith(node.data)) node.appendData(text.slice(node.length)); // keeps selections
  else node.data = text;
}

// When the focused element is removed, hidden or disabled, focus `getTarget(path)` instead. `path` are
// the focused element and its ancestors.
export function guardFocus(getTarget) {
  let focused = document.body;
  let path = [];
  addEventListener("focusin", (event) => {
    focused = event.target;
    path = event.composedPath();
  });
  const isLost = () =>
    !isVisible(focused) || focused.matches(":disabled");
  new MutationObserver((changes) => {
    const { activeElement: active, body } = document;
    // An element that is removed loses the focus at once; only an attribute hides one that keeps it.
    const mayBeHidden = active === focused && changes.some(({ type }) => type === "attributes");
    if ((active === body || mayBeHidden) && isLost()) getTarget(path).focus();
  }).observe(document.body, {
    subtree: true,
    childList: true,
    attributeFilter: ["hidden", "disabled", "open"],
  });
}

function isVisible(element) {
  if (element.checkVisibility) return element.checkVisibility({ visibilityProperty: true });
  return element.getClientRects().length > 0 && getComputedStyle(element).visibility === "visible";
}

// Copy text to the clipboard; return whether it worked.
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without HTTPS or permission the clipboard API fails, but the copy command still works.
    const { activeElement } = document;
    const field = createElement("textarea", { value: text, className: "sr-only" });
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    activeElement.focus();
    return isCopied;
  }
}
