// The page: list of chats, the current chat, its settings, the message field.

import { Chat } from "./chat.js";
import { newKey, ParleyError } from "./client.js";
import { $, button, copyText, createElement, guardFocus, updateChildren } from "./dom.js";
import { MessageList } from "./message_list.js";
import { client } from "./server.js";
import * as sessions from "./sessions.js";

let chat = null;
let models = null;
let retry = null; // repeats the action that failed
let creation = null; // the session that is being created: request body as JSON, idempotency key
let drawTimer = 0;
let drawTime = 0; // milliseconds that the last draw took
const messageList = new MessageList($("log"), $("messages"), (isAtStart) => {
  scheduleDraw();
  if (isAtStart) void attempt(actions.older);
});

// Actions -----------------------------------------------------------------------------------------

// Action of a button or form with that data-action. Failures are shown with a button to try again.
const actions = {
  new: () => navigate(""),
  retry: () => retry(),
  dismiss: () => {},
  connect: () => chat.connection.reconnect(),
  older: () => chat.loadOlder(),
  newest: () => messageList.scrollToEnd(),
  stop: () => chat.cancel(),
  regenerate: ({ value }) => chat.regenerate(value),
  resend: ({ value }) => chat.resend(value),
  discard: ({ value }) => void chat.discard(value),
  edit: ({ value }) => setText([chat.discard(value), $("text").value].filter(Boolean).join("\n")),
  toggle({ value }) {
    messageList.toggle(value);
    scheduleDraw();
  },
  wrap: () => document.body.classList.toggle("wrap"),
  async copy(pressed) {
    const code = pressed.closest(".code")?.querySelector("pre").textContent;
    const isCopied = await copyText(code ?? chat.conversation.messages.get(pressed.value).content);
    if (!isCopied) throw new ParleyError("copy_blocked", "Your browser blocked copying to the clipboard.");
    pressed.textContent = "Copied";
    announce("Copied.");
    setTimeout(() => (pressed.textContent = "Copy"), 1500);
  },
  send() {
    const content = $("text").value;
    if (!content.trim()) return;
    setText("");
    messageList.isAtEnd = true;
    chat.send(content);
  },
  async start() {
    const body = { name: $("name").value.trim() };
    if ($("new-model").value) body.model = $("new-model").value;
    if ($("new-prompt").value.trim()) body.system_prompt = $("new-prompt").value;
    // If the response was lost, a retry with the same fields must not create a second session.
    const fields = JSON.stringify(body);
    if (creation?.fields !== fields) creation = { fields, key: newKey() };
    const session = await client.open(body, creation);
    creation = null;
    sessions.add({ id: session.id, token: session.token, name: session.fields.name });
    $("start").reset();
    navigate(session.id);
  },
  settings() {
    const { name, model, system_prompt } = chat.conversation.session;
    $("set-name").value = name ?? "";
    $("set-prompt").value = system_prompt ?? "";
    $("settings").showModal();
    return attempt(() => showModels($("set-model"), model));
  },
  async save() {
    const prompt = $("set-prompt").value;
    const body = { name: $("set-name").value.trim(), system_prompt: prompt.trim() ? prompt : null };
    const model = $("set-model").value;
    if (model !== chat.conversation.session.model) body.model = model; // it may no longer exist
    await chat.update(body);
    $("settings").close();
  },
  close: () => $("settings").close(),
  async reset() {
    const { reset } = chat;
    $("settings").close();
    const question = "Clear all messages in this chat? Its name, model and system prompt are kept.";
    if (await askConfirmation(question, "Clear")) await attempt(reset);
  },
  async delete({ value }) {
    const { name } = sessions.find(value);
    const question = `Delete “${name || "Untitled"}” and all its messages?`;
    if (await askConfirmation(question, "Delete")) await attempt(() => deleteSession(value));
  },
};

async function attempt(action) {
  const { hash } = location;
  showError("");
  try {
    await action();
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    if (hash === location.hash) showError(error.message, action);
  }
}

// Run the action of a button or form; ignore further presses until it is done.
async function run(element) {
  if (element.ariaBusy) return;
  element.ariaBusy = true;
  try {
    await attempt(() => actions[element.dataset.action](element));
  } finally {
    element.ariaBusy = null;
  }
}

function showError(message, action) {
  if (action) retry = () => attempt(action);
  (document.querySelector("dialog[open]") ?? $("main")).prepend($("error"));
  $("error-text").textContent = message;
  $("error").hidden = !message;
}

// Announce text to screen readers.
function announce(text) {
  if (text) $("announcer").replaceChildren(text);
}

function askConfirmation(question, label) {
  const dialog = $("confirm");
  $("confirm-text").textContent = question;
  $("confirm-yes").textContent = label;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

async function deleteSession(id) {
  const { token } = sessions.find(id);
  await client.session(token).delete();
  sessions.remove(id);
  if (id === chat?.id) navigate("");
  drawSessions();
}

// Fill a select with the models and select one; models are fetched once.
async function showModels(select, selected) {
  if (selected) updateChildren(select, [new Option(selected)]);
  models ??= await client.models();
  const names = new Set(models.map(({ name }) => name)).add(selected ?? models[0]?.name);
  const preset = selected ?? models.find(({ is_default }) => is_default)?.name;
  select.replaceChildren(...[...names].map((name) => new Option(name, name, false, name === preset)));
}

// Drawing -----------------------------------------------------------------------------------------

function navigate(id) {
  if (location.hash.slice(1) === id) showSession();
  else location.hash = id;
}

function showSession() {
  chat?.close();
  messageList.clear();
  const session = sessions.find(location.hash.slice(1));
  chat = session ? new Chat(session, { changed: scheduleDraw, announce }) : null;
  showError("");
  $("side").togglePopover(false);
  $("welcome").hidden = Boolean(session);
  $("conversation").hidden = !session;
  setText(session ? sessions.draft(session.id) : "");
  drawSessions();
  draw();
  focusTarget([]).focus();
  if (!session && !$("new-model").length) void attempt(() => showModels($("new-model")));
}

function drawSessions() {
  const rows = sessions.list().map(({ id, name }) => {
    const link = createElement("a", { href: `#${id}` }, name || "Untitled");
    if (id === chat?.id) link.ariaCurrent = "page";
    const label = `Delete chat ${name || "Untitled"}`;
    return createElement("li", {}, link, button("×", "delete", { value: id, ariaLabel: label }));
  });
  updateChildren($("sessions"), rows);
}

// Draw soon: the slower the last draw was, the later, so that the page stays responsive.
function scheduleDraw() {
  drawTimer ||= setTimeout(() => requestAnimationFrame(draw), 3 * drawTime);
}

function draw() {
  drawTimer = 0;
  const { name } = document.body.dataset;
  document.title = chat ? `${chat.name || "Untitled"} · ${name}` : name;
  if (!chat) return;
  const start = performance.now();
  const { conversation, unsent, offlineMessage, endMessage } = chat;
  const { session, ordered, activeReplies, hasOlder } = conversation;
  if (session.id && session.name !== chat.name) {
    sessions.rename(chat.id, (chat.name = session.name));
    drawSessions();
  }
  messageList.draw(ordered, unsent);
  $("title").textContent = chat.name || "Untitled";
  $("model").textContent = session.model ?? "";
  $("edit").disabled = Boolean(endMessage) || !session.id;
  $("empty").hidden = !session.id || ordered.length + unsent.length > 0;
  $("older").hidden = !hasOlder;
  $("newest").hidden = messageList.isAtEnd;
  $("connection").hidden = !offlineMessage && !endMessage;
  $("connection-text").textContent = endMessage || (offlineMessage && `${offlineMessage} Reconnecting…`);
  $("connect").hidden = Boolean(endMessage);
  $("start-over").hidden = !endMessage;
  $("composer").hidden = Boolean(endMessage);
  $("stop").hidden = !activeReplies.length;
  drawTime = performance.now() - start;
}

// Return the element that gets the focus when the focused one disappears. `path` are the focused
// element and its ancestors. On a touch screen it is not a field, which would open the keyboard.
function focusTarget(path) {
  if (path.includes($("side"))) return $("new");
  const hasKeyboard = matchMedia("(pointer: fine)").matches;
  if (!chat) return hasKeyboard ? $("name") : $("welcome");
  if (chat.endMessage) return $("start-over");
  return hasKeyboard ? $("text") : $("log");
}

// Message field -----------------------------------------------------------------------------------

function setText(text) {
  $("text").value = text;
  textChanged();
}

function textChanged() {
  const field = $("text");
  if (chat) sessions.saveDraft(chat.id, field.value);
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
  $("send").disabled = !field.value.trim();
}

$("text").addEventListener("input", textChanged);
$("text").addEventListener("keydown", (event) => {
  // Enter also confirms the characters of an input method; Safari reports that by keyCode 229 only.
  const isComposing = event.isComposing || event.keyCode === 229;
  if (event.key !== "Enter" || event.shiftKey || isComposing) return;
  event.preventDefault();
  actions.send();
});

// Event listeners ---------------------------------------------------------------------------------

addEventListener("click", ({ target }) => {
  const pressed = target.closest("button[data-action]");
  if (pressed) void run(pressed);
});
addEventListener("submit", (event) => {
  if (!event.target.dataset.action) return;
  event.preventDefault();
  void run(event.target);
});
addEventListener("keydown", ({ key, isComposing }) => {
  if (key !== "Escape" || isComposing || document.querySelector("dialog[open], :popover-open")) return;
  if (chat) void attempt(actions.stop);
});
addEventListener("hashchange", showSession);
addEventListener("beforeunload", (event) => sessions.hasUnsaved() && event.preventDefault());
// An on-screen keyboard may cover the page without resizing it.
visualViewport.addEventListener("resize", () => {
  const { height, scale } = visualViewport;
  if (scale === 1) document.body.style.height = `${height}px`;
});
setInterval(() => {
  if (!chat?.conversation.activeReplies.length) return;
  announce(chat.newWaits());
  scheduleDraw();
}, 1000);
sessions.onChange(drawSessions);
guardFocus(focusTarget);
showSession();
