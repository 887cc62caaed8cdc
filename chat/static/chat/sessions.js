// What this browser keeps: its sessions, and for each of them the draft and what was sent but has not
// been accepted yet. A token opens its session to whoever has it; localStorage is readable by pages
// of this origin only.

const LIST = "parley.sessions";
const outboxOf = (id) => `parley.outbox.${id}`;
const draftOf = (id) => `parley.draft.${id}`;
const unkept = new Map(); // what localStorage has no room for, or may not keep

function read(name, otherwise) {
  try {
    return JSON.parse(unkept.get(name) ?? localStorage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function write(name, value) {
  const text = JSON.stringify(value);
  unkept.delete(name);
  try {
    if (value.length) localStorage.setItem(name, text);
    else localStorage.removeItem(name);
  } catch {
    unkept.set(name, text);
  }
}

// Whether something would be lost with the page.
export const isLosing = () => unkept.size > 0;

export const list = () => read(LIST, []);
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
  write(draftOf(id), "");
}

export const draft = (id) => read(draftOf(id), "");
export const keepDraft = (id, text) => write(draftOf(id), text);

export const outbox = (id) => read(outboxOf(id), []);
export const keep = (id, entry) => write(outboxOf(id), [...outbox(id), entry]);

export function drop(id, key) {
  write(outboxOf(id), outbox(id).filter((entry) => entry.key !== key));
}

// Another tab has changed the list.
export const onChange = (act) =>
  addEventListener("storage", ({ key }) => (key === LIST || key === null) && act());
