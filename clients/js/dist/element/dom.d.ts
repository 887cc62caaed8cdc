type Properties = Record<string, unknown>;
/** Create an element with a part name, properties and children. */
export declare function h<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, part?: string, properties?: Properties, ...children: (Node | string)[]): HTMLElementTagNameMap[Tag];
/** A button that runs an action. */
export declare function button(part: string, label: string, onclick: () => void, ...children: (Node | string)[]): HTMLButtonElement;
/** An icon with one path of a 24 x 24 grid. */
export declare function icon(d: string): SVGSVGElement;
/** Replace the children of an element, unless they are the same. */
export declare function setChildren(parent: Element, children: Node[]): void;
export {};
