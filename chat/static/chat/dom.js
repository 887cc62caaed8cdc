// Making elements without ever parsing HTML, and changing the page under its reader's hands.

export const $ = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// Return a button that does the act of that name; app.js has the list.
export function button(text, act, properties) {
  const made = make("button", { type: "button", className: "quiet", ...properties }, text);
  made.dataset.act = act;
  return made;
}

// Make these nodes the children of `parent`, after its first ones. What is there already, or its like,
// stays, and is filled in its turn: what is focused, selected or scrolled in it stays so, and a press
// that has begun on a button ends on it.
export function fill(parent, nodes, first = 0) {
  nodes.forEach((node, index) => {
    const known = parent.childNodes[first + index] ?? null;
    if (known === node) return;
    if (known?.nodeName === "#text" && node.nodeName === "#text") retype(known, node.data);
    else if (known?.cloneNode().isEqualNode(node.cloneNode())) fill(known, [...node.childNodes]);
    else parent.insertBefore(node, known);
  });
  while (parent.childNodes.length > first + nodes.length) parent.lastChild.remove();
}

function retype(text, words) {
  if (words.startsWith(text.data)) text.appendData(words.slice(text.length)); // selections stay
  else text.data = words;
}

// Whenever what had the focus goes, hides or is switched off, the focus goes home and not nowhere.
export function guardFocus(home) {
  let last = document.body;
  let from = [];
  addEventListener("focusin", (event) => {
    last = event.target;
    from = event.composedPath();
  });
  const isLost = () => !last.checkVisibility({ visibilityProperty: true }) || last.matches(":disabled");
  new MutationObserver(() => {
    const { activeElement: active, body } = document;
    if ((active === body || active === last) && isLost()) home(from).focus();
  }).observe(document.body, {
    subtree: true,
    childList: true,
    attributeFilter: ["hidden", "disabled", "open"],
  });
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without HTTPS, or when it is refused, there is no clipboard to write to, but still the command.
    const { activeElement } = document;
    const field = make("textarea", { value: text, className: "sr" });
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    activeElement.focus();
    return isCopied;
  }
}
