// State in localStorage: the sessions and their tokens, drafts, and outboxes of messages that the
// server has not accepted. Only pages of this origin can read it.

// Another Parley may be served below another path of the same origin.
const base = new URL(".", location).pathname;
const PREFIX = base === "/" ? "parley" : `parley:${base}`;
const LIST = `${PREFIX}.sessions`;
const DELETED = `${PREFIX}.deleted`;
const CREATION = `${PREFIX}.creation`;
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

// Store a value, or remove it if it is empty.
function write(key, value) {
  const text = JSON.stringify(value);
  unsaved.delete(key);
  try {
    if (value && value.length !== 0) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
  } catch {
    unsaved.set(key, text);
  }
}

// Whether closing the page would lose data.
export const hasUnsaved = () => unsaved.size > 0;

// An entry has id, token, name; at: time of the last activity, expires_at: both in seconds since the
// epoch; isBusy: whether a reply is active; isUnread: whether it has ended since the chat was left;
// needsTitle: whether the model may still choose the name.
export const list = () => read(LIST, []);
export const find = (id) => list().find((each) => each.id === id);
export const add = (entry) => write(LIST, [entry, ...list().filter(({ id }) => id !== entry.id)]);

// Change fields of an entry, if any differs; return whether one did.
export function update(id, changes) {
  const entry = find(id);
  if (!entry || Object.entries(changes).every(([name, value]) => entry[name] === value)) return false;
  write(LIST, list().map((each) => (each.id === id ? { ...each, ...changes } : each)));
  return true;
}

// Remove an entry from the list; it can be restored until it is forgotten.
export function remove(id) {
  const entry = find(id);
  write(DELETED, [...deleted(), { ...entry, deletedAt: Date.now() }]);
  write(LIST, list().filter((each) => each.id !== id));
}

export const deleted = () => read(DELETED, []);

export function restore(id) {
  const entry = deleted().find((each) => each.id === id);
  write(DELETED, deleted().filter((each) => each.id !== id));
  if (entry) add(entry);
}

export function forget(id) {
  write(DELETED, deleted().filter((each) => each.id !== id));
  write(outboxKey(id), []);
  write(draftKey(id), "");
}

// The session that is being created: its fields and idempotency key. A retry, also after a reload, must
// not create a second one.
export const creation = () => read(CREATION, null);
export const saveCreation = (value) => write(CREATION, value);

// A draft is its text, or an object with text and attachments. The draft of a new chat has the id "".
export const draft = (id) => read(draftKey(id), "");
export const saveDraft = (id, value) => write(draftKey(id), value);

export const outbox = (id) => read(outboxKey(id), []);
export const addToOutbox = (id, entry) => write(outboxKey(id), [...outbox(id), entry]);

export function removeFromOutbox(id, key) {
  write(outboxKey(id), outbox(id).filter((entry) => entry.key !== key));
}

// Call back when another tab has changed the list.
export const onChange = (callback) =>
  addEventListener("storage", ({ key }) => (key === LIST || key === null) && callback());
