// State in localStorage: the sessions and their tokens, drafts, and outboxes of messages that the
// server has not accepted. Only pages of this origin can read it.

// Another Parley may be served below another path of the same origin.
const base = new URL(".", location).pathname;
const PREFIX = base === "/" ? "parley" : `parley:${base}`;
const LIST = `${PREFIX}.sessions`;
const outboxKey = (id) => `${PREFIX}.outbox.${id}`;
const draftKey = (id) => `${PREFIX}.draft.${id}`;
const unsaved = new Map(); // values that localStorage rejected, because it is full or disabled

function read(key, fallback) {
  try {
    return JSON.parse(unsaved.get(key) ?? localStorage.getItem(key)) ?? fallback;
  } catch {
    return fallback;
  }
}

function write(key, value) {
  const text = JSON.stringify(value);
  unsaved.delete(key);
  try {
    if (value.length) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
  } catch {
    unsaved.set(key, text);
  }
}

// Whether closing the page would lose data.
export const hasUnsaved = () => unsaved.size > 0;

export const list = () => read(LIST, []);
export const find = (id) => list().find((each) => each.id === id);

export function add({ id, token, name }) {
  write(LIST, [{ id, token, name }, ...list().filter((each) => each.id !== id)]);
}

export function rename(id, name) {
  write(LIST, list().map((each) => (each.id === id ? { ...each, name } : each)));
}

export function remove(id) {
  write(LIST, list().filter((each) => each.id !== id));
  write(outboxKey(id), []);
  write(draftKey(id), "");
}

export const draft = (id) => read(draftKey(id), "");
export const saveDraft = (id, text) => write(draftKey(id), text);

export const outbox = (id) => read(outboxKey(id), []);
export const addToOutbox = (id, entry) => write(outboxKey(id), [...outbox(id), entry]);

export function removeFromOutbox(id, key) {
  write(outboxKey(id), outbox(id).filter((entry) => entry.key !== key));
}

// Call back when another tab has changed the list.
export const onChange = (callback) =>
  addEventListener("storage", ({ key }) => (key === LIST || key === null) && callback());
