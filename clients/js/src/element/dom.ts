// Creates elements without parsing HTML.

type Properties = Record<string, unknown>;

/** Create an element with a part name, properties and children. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  part = "",
  properties: Properties = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = Object.assign(document.createElement(tag), properties);
  if (part) element.setAttribute("part", part);
  element.append(...children);
  return element;
}

/** A button that runs an action. */
export function button(part: string, label: string, onclick: () => void, ...children: (Node | string)[]): HTMLButtonElement {
  const properties: Properties = { type: "button", onclick };
  if (children.length) Object.assign(properties, { ariaLabel: label, title: label });
  return h("button", part, properties, ...(children.length ? children : [label]));
}

/** An icon with one path of a 24 x 24 grid. */
export function icon(d: string): SVGSVGElement {
  const create = (name: string, attributes: Record<string, string>) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const svg = create("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" });
  svg.append(create("path", { d }));
  return svg as SVGSVGElement;
}

/** Replace the children of an element, unless they are the same. */
export function setChildren(parent: Element, children: Node[]): void {
  const current = parent.childNodes;
  if (current.length === children.length && children.every((child, index) => child === current[index])) return;
  // Elements that stay keep their focus and scroll position.
  for (const child of [...current]) if (!children.includes(child)) child.remove();
  children.forEach((child, index) => {
    if (parent.childNodes[index] !== child) parent.insertBefore(child, parent.childNodes[index] ?? null);
  });
}
