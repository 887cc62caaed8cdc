// The sessions of this browser, and what was typed but has not been accepted yet. A token opens its
// session to whoever has it; localStorage is readable by pages of this origin only.

const LIST = "parley.sessions";
const outboxOf = (id) => `parley.outbox.${id}`;

const read = (name) => {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? [];
  } catch {
    return [];
  }
};
const write = (name, entries) =>
  entries.length ? localStorage.setItem(name, JSON.stringify(entries)) : localStorage.removeItem(name);

export const list = () => read(LIST);
export const find = (id) => list().find((each) => each.id === id);

export function add({ id, token, name }) {
  write(LIST, [{ id, token, name }, ...list().filter((each) => each.id !== id)]);
}

export function rename(id, name) {
  write(LIST, list().map((each) => (each.id === id ? { ...each, name } : each)));
}

export function forget(id) {
  write(LIST, list().filter((each) => each.id !== id));
  write(outboxOf(id), []);
}

export const outbox = (id) => read(outboxOf(id));

export function keep(id, entry) {
  write(outboxOf(id), [...outbox(id), entry]);
}

export function drop(id, key) {
  write(outboxOf(id), outbox(id).filter((entry) => entry.key !== key));
}

// Another tab has changed the list.
export const onChange = (act) =>
  addEventListener("storage", ({ key }) => (key === LIST || key === null) && act());
