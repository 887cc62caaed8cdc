// Creates elements without parsing HTML, and updates them in place.

export const $ = (id) => document.getElementById(id);

export function createElement(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// Create a button that runs an action of app.js.
export function button(text, action, properties) {
  const element = createElement("button", { type: "button", className: "quiet", ...properties }, text);
  element.dataset.action = action;
  return element;
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
    !focused.checkVisibility({ visibilityProperty: true }) || focused.matches(":disabled");
  new MutationObserver(() => {
    const { activeElement: active, body } = document;
    if ((active === body || active === focused) && isLost()) getTarget(path).focus();
  }).observe(document.body, {
    subtree: true,
    childList: true,
    attributeFilter: ["hidden", "disabled", "open"],
  });
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
