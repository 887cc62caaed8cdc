// The page: the list of sessions, the one that is open, its settings, the field to write in.

import { ApiError, insist, newKey } from "./api.js";
import { Chat } from "./chat.js";
import { $, button, copy, fill, guardFocus, make } from "./dom.js";
import { Log } from "./log.js";
import * as sessions from "./sessions.js";

let chat = null;
let models = null;
let retry = null; // what has failed
let opening = null; // the session that is being opened: its wishes, and the key of the call
let drawing = 0;
let cost = 0; // milliseconds that the last drawing took
const log = new Log($("log"), $("messages"), (isAtStart) => {
  soon();
  if (isAtStart) void attempt(acts.older);
});

// What people do ----------------------------------------------------------------------------------

// What a button or a form with that data-act does. What fails is told, and can be tried again.
const acts = {
  begin: () => go(""),
  retry: () => retry(),
  dismiss: () => {},
  connect: () => chat.connection.again(),
  older: () => chat.older(),
  newest: () => log.toEnd(),
  stop: () => chat.cancel(),
  regenerate: ({ value }) => chat.regenerate(value),
  resend: ({ value }) => chat.resend(value),
  discard: ({ value }) => void chat.discard(value),
  rewrite: ({ value }) => write([chat.discard(value), $("text").value].filter(Boolean).join("\n")),
  fold({ value }) {
    log.fold(value);
    soon();
  },
  async copy(pressed) {
    const code = pressed.closest(".code")?.querySelector("pre").textContent;
    const isCopied = await copy(code ?? chat.conversation.messages.get(pressed.value).content);
    if (!isCopied) throw new ApiError("refused", "The browser does not allow copying.");
    pressed.textContent = "Copied";
    say("Copied.");
    setTimeout(() => (pressed.textContent = "Copy"), 1500);
  },
  send() {
    const content = $("text").value;
    if (!content.trim()) return;
    write("");
    log.isAtEnd = true;
    chat.send(content);
  },
  async start() {
    const body = { name: $("name").value.trim() };
    if ($("new-model").value) body.model = $("new-model").value;
    if ($("new-prompt").value.trim()) body.system_prompt = $("new-prompt").value;
    // Tried again with the same wishes it is the same call, whose answer may have been all that was lost.
    const wishes = JSON.stringify(body);
    if (opening?.wishes !== wishes) opening = { wishes, key: newKey() };
    const session = await insist("POST", "sessions", { body, key: opening.key });
    opening = null;
    sessions.add(session);
    $("start").reset();
    go(session.id);
  },
  settings() {
    const { name, model, system_prompt } = chat.conversation.session;
    $("set-name").value = name ?? "";
    $("set-prompt").value = system_prompt ?? "";
    $("settings").showModal();
    return attempt(() => offer($("set-model"), model));
  },
  async save() {
    const prompt = $("set-prompt").value;
    const body = { name: $("set-name").value.trim(), system_prompt: prompt.trim() ? prompt : null };
    const model = $("set-model").value;
    if (model !== chat.conversation.session.model) body.model = model; // its own may be offered no more
    await chat.change(body);
    $("settings").close();
  },
  close: () => $("settings").close(),
  async reset() {
    const { reset } = chat;
    $("settings").close();
    const question = "Clear all messages of this session? Its name, model and prompt stay.";
    if (await confirmed(question, "Clear")) await attempt(reset);
  },
  async remove({ value }) {
    const { name } = sessions.find(value);
    const question = `Delete “${name || "Untitled"}” and all its messages?`;
    if (await confirmed(question, "Delete")) await attempt(() => remove(value));
  },
};

async function attempt(act) {
  const { hash } = location;
  tell("");
  try {
    await act();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (hash === location.hash) tell(error.message, act);
  }
}

// A press counts once until what it asks for is done.
async function press(element) {
  if (element.ariaBusy) return;
  element.ariaBusy = true;
  try {
    await attempt(() => acts[element.dataset.act](element));
  } finally {
    element.ariaBusy = null;
  }
}

function tell(words, act) {
  if (act) retry = () => attempt(act);
  (document.querySelector("dialog[open]") ?? $("main")).prepend($("trouble"));
  $("trouble-text").textContent = words;
  $("trouble").hidden = !words;
}

function say(words) {
  if (words) $("said").replaceChildren(words);
}

function confirmed(question, word) {
  const dialog = $("confirm");
  $("confirm-text").textContent = question;
  $("confirm-yes").textContent = word;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

async function remove(id) {
  const { token } = sessions.find(id);
  await insist("DELETE", `sessions/${id}`, { token }).catch((error) => {
    if (!error.isEnd) throw error;
  });
  sessions.forget(id);
  if (id === chat?.id) go("");
  listSessions();
}

// Offer the models, of which one is chosen; they are asked for until they have come once.
async function offer(select, chosen) {
  if (chosen) fill(select, [new Option(chosen)]);
  models ??= (await insist("GET", "models")).data;
  const names = new Set(models.map(({ name }) => name)).add(chosen ?? models[0]?.name);
  const preset = chosen ?? models.find(({ is_default }) => is_default)?.name;
  select.replaceChildren(...[...names].map((name) => new Option(name, name, false, name === preset)));
}

// What is shown -----------------------------------------------------------------------------------

function go(id) {
  if (location.hash.slice(1) === id) show();
  else location.hash = id;
}

function show() {
  chat?.close();
  log.clear();
  const session = sessions.find(location.hash.slice(1));
  chat = session ? new Chat(session, { changed: soon, say }) : null;
  tell("");
  $("side").togglePopover(false);
  $("welcome").hidden = Boolean(session);
  $("conversation").hidden = !session;
  write(session ? sessions.draft(session.id) : "");
  listSessions();
  draw();
  home([]).focus();
  if (!session && !$("new-model").length) void attempt(() => offer($("new-model")));
}

function listSessions() {
  const rows = sessions.list().map(({ id, name }) => {
    const link = make("a", { href: `#${id}` }, name || "Untitled");
    if (id === chat?.id) link.ariaCurrent = "page";
    const label = `Delete session ${name || "Untitled"}`;
    return make("li", {}, link, button("×", "remove", { value: id, ariaLabel: label }));
  });
  fill($("sessions"), rows);
}

// Draw in a while: the costlier the last time was, the later, so that the page stays at hand.
function soon() {
  drawing ||= setTimeout(() => requestAnimationFrame(draw), 3 * cost);
}

function draw() {
  drawing = 0;
  document.title = chat ? `${chat.name || "Untitled"} · Parley` : "Parley";
  if (!chat) return;
  const start = performance.now();
  const { conversation, unsent, offline, end } = chat;
  const { session, ordered, open, hasOlder } = conversation;
  if (session.id && session.name !== chat.name) {
    sessions.rename(chat.id, (chat.name = session.name));
    listSessions();
  }
  log.draw(ordered, unsent);
  $("title").textContent = chat.name || "Untitled";
  $("model").textContent = session.model ?? "";
  $("edit").disabled = Boolean(end) || !session.id;
  $("empty").hidden = !session.id || ordered.length + unsent.length > 0;
  $("older").hidden = !hasOlder;
  $("newest").hidden = log.isAtEnd;
  $("state").hidden = !offline && !end;
  $("state-text").textContent = end || (offline && `${offline} Trying again…`);
  $("connect").hidden = Boolean(end);
  $("leave").hidden = !end;
  $("composer").hidden = Boolean(end);
  $("stop").hidden = !open.length;
  cost = performance.now() - start;
}

// Where the focus goes from what is gone; on a touch screen not where it would call up the keyboard.
function home(from) {
  if (from.includes($("side"))) return $("new");
  const hasKeys = matchMedia("(pointer: fine)").matches;
  if (!chat) return hasKeys ? $("name") : $("welcome");
  if (chat.end) return $("leave");
  return hasKeys ? $("text") : $("log");
}

// The field to write in ---------------------------------------------------------------------------

function write(text) {
  $("text").value = text;
  written();
}

function written() {
  const field = $("text");
  if (chat) sessions.keepDraft(chat.id, field.value);
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
  $("send").disabled = !field.value.trim();
}

$("text").addEventListener("input", written);
$("text").addEventListener("keydown", (event) => {
  // While an input method composes a character, Enter is its own; Safari tells by 229 alone.
  const isComposing = event.isComposing || event.keyCode === 229;
  if (event.key !== "Enter" || event.shiftKey || isComposing) return;
  event.preventDefault();
  acts.send();
});

// What is listened to -----------------------------------------------------------------------------

addEventListener("click", ({ target }) => {
  const pressed = target.closest("button[data-act]");
  if (pressed) void press(pressed);
});
addEventListener("submit", (event) => {
  if (!event.target.dataset.act) return;
  event.preventDefault();
  void press(event.target);
});
addEventListener("keydown", ({ key, isComposing }) => {
  if (key !== "Escape" || isComposing || document.querySelector("dialog[open], :popover-open")) return;
  if (chat) void attempt(acts.stop);
});
addEventListener("hashchange", show);
addEventListener("beforeunload", (event) => sessions.isLosing() && event.preventDefault());
// A telephone's keyboard may lie over the page without making it smaller.
visualViewport.addEventListener("resize", () => {
  const { height, scale } = visualViewport;
  if (scale === 1) document.body.style.height = `${height}px`;
});
setInterval(() => {
  if (!chat?.conversation.open.length) return;
  say(chat.news());
  soon();
}, 1000);
sessions.onChange(listSessions);
guardFocus(home);
show();
