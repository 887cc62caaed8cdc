// Making elements without ever parsing HTML.

export const $ = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  const { label, ...others } = properties;
  if (label) element.setAttribute("aria-label", label);
  Object.assign(element, others);
  element.append(...children);
  return element;
}

export const button = (text, className, onclick, label) =>
  make("button", { type: "button", className, onclick, label }, text);

export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Without HTTPS there is no clipboard to write to, but there is still the command.
  const field = make("textarea", { value: text, className: "hidden" });
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

export function copier(text, label) {
  const made = button("Copy", "quiet copy", async () => {
    await copy(text());
    made.textContent = "Copied";
    setTimeout(() => (made.textContent = "Copy"), 1500);
  }, label);
  return made;
}
