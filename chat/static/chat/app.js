// The page: the current chat, its settings and the actions of all buttons.

import { Chat } from "./chat.js";
import { APIConnectionError, newKey, ParleyError } from "./client.js";
import { Composer } from "./composer.js";
import { $, copyText, guardFocus, set, updateChildren } from "./dom.js";
import { filesOf, toParts } from "./files.js";
import { MessageList } from "./message_list.js";
import { loadRenderer } from "./reply_body.js";
import { errorText } from "./reply_status.js";
import { client, config } from "./server.js";
import * as sessions from "./sessions.js";
import { expiryText, Sidebar, titleOf } from "./sidebar.js";
import { firstWords } from "./titles.js";

const DOUBLE_PRESS = 1_000; // ms between two presses of Esc that stop everything

let chat = null;
let models = null;
let retry = null; // repeats the action that failed
let pending = null; // an unsent message whose chat is being created, or whose files are being uploaded
let submitPrompt = null; // receives the text of the prompt dialog
let lastEscape = 0; // time of the last press
let drawTimer = 0;
let drawTime = 0; // milliseconds that the last draw took
const onScroll = (isAtStart) => {
  scheduleDraw();
  if (isAtStart && chat) void attempt(actions.older);
};
const messageList = new MessageList($("log"), $("messages"), onScroll, () => chat.session);
const fail = (message) => showError(message);
const composer = new Composer({ send: () => run($("composer")), announce, fail, attempt, inputs });
const sidebar = new Sidebar({
  current: () => chat?.id,
  deleted: (id) => (id === chat?.id ? navigate("") : sidebar.draw()),
  restored: (id) => navigate(id),
});

// Actions -----------------------------------------------------------------------------------------

// Action of a button or form with that data-action. Failures are shown with a button to try again.
const actions = {
  new: () => navigate(""),
  menu: () => openMenu(!document.body.classList.contains("side-open")),
  help: () => $("help").showModal(),
  retry: () => retry(),
  dismiss: () => {},
  reload: () => location.reload(),
  connect: () => chat.connection.reconnect(),
  older: () => chat.loadOlder(),
  newest: () => messageList.scrollToEnd(),
  stop: () => chat.cancel(),
  stopAll: () => chat.cancelAll(),
  regenerate: ({ value }) => chat.regenerate(value),
  continueReply: () => chat.continueReply(),
  resend: ({ value }) => chat.resend(value),
  discard: ({ value }) => void chat.discard(value),
  attach: () => $("picker").click(),
  download: ({ value, name }) => messageList.files.download(value, name),
  detach: ({ value }) => composer.detach(value),
  wrap: () => document.body.classList.toggle("wrap"),
  undo: () => sidebar.undo(),
  deleteNow: () => sidebar.deleteNow(),
  delete: ({ value }) => sidebar.delete(value || chat.id),
  print: () => printAll(),
  exportMarkdown: ({ value }) => exportChat(value, "md", "text/markdown", "asMarkdown"),
  exportJSON: ({ value }) => exportChat(value, "json", "application/json", "asJSON"),
  submitPrompt: () => submitPrompt($("prompt-text").value.trim()),
  rateUp: (pressed) => rate(pressed, "up"),
  rateDown: (pressed) => rate(pressed, "down"),
  askAgain: ({ value }) => sendMessage(messageOf(value).content, filesOf(messageOf(value))),
  edit({ value }) {
    const { content, files } = chat.discard(value);
    composer.prepend(content, files);
  },
  choose({ value }) {
    messageList.choose(value);
    scheduleDraw();
  },
  expand({ value }) {
    messageList.expand(value);
    scheduleDraw();
  },
  suggest({ value }) {
    composer.set(value);
    composer.field.focus();
  },
  startOver() {
    const known = sessions.draft("");
    const texts = [known.text ?? known, ...chat.unsent.map(({ content }) => content), composer.content];
    const { model, system_prompt: instructions } = chat.conversation.session;
    composer.set("");
    sessions.saveDraft("", texts.filter(Boolean).join("\n\n"));
    navigate("");
    if (instructions) $("new-prompt").value = instructions;
    return attempt(() => showModels($("new-model"), model));
  },
  editMessage({ value }) {
    const { content: text } = messageOf(value);
    const files = filesOf(messageOf(value));
    const save = (content) => (content || files.length) && sendMessage(content, files, value);
    openPrompt("Edit message", "Message", "Send", text, save);
  },
  comment({ value }) {
    const { rating, comment } = messageOf(value).feedback;
    const save = (text) => chat.rate(value, rating, text);
    openPrompt("Comment on the reply", "Comment", "Save", comment, save, config.maxCommentChars);
  },
  rename({ value }) {
    const { name, token } = sessions.find(value);
    const save = async (text) => {
      await client.session(token).update({ name: text });
      sessions.update(value, { name: text, needsTitle: false });
      sidebar.draw();
    };
    openPrompt("Rename chat", "Name", "Rename", name, save, $("set-name").maxLength);
  },
  async copy(pressed) {
    const code = pressed.closest(".code")?.querySelector("pre").textContent;
    const isCopied = await copyText(code ?? messageOf(pressed.value).content);
    if (!isCopied) throw new ParleyError("copy_blocked", "Your browser blocked copying to the clipboard.");
    pressed.classList.add("done");
    announce("Copied.");
    setTimeout(() => pressed.classList.remove("done"), 1500);
  },
  async send() {
    if ($("send").disabled) return;
    const { id, content, files } = composer;
    composer.set("");
    try {
      if (chat) await sendMessage(content, files);
      else await startChat(content, files);
    } catch (error) {
      composer.restore(id, content, files);
      throw error;
    }
  },
  settings() {
    const { name, model, system_prompt: instructions, expires_at } = chat.conversation.session;
    $("set-name").value = name ?? "";
    $("set-prompt").value = instructions ?? "";
    const expiry = expiryText({ expires_at }, Infinity);
    $("expiry").textContent = expiry && `This chat e${expiry.slice(1)} unless you use it.`;
    $("settings").showModal();
    return attempt(() => showModels($("set-model"), model));
  },
  async save() {
    const prompt = $("set-prompt").value;
    const name = $("set-name").value.trim();
    const before = chat.conversation.session;
    const body = { name };
    if (prompt !== (before.system_prompt ?? "")) body.system_prompt = prompt.trim() ? prompt : null; // it may be fixed
    const model = $("set-model").value;
    if (model !== before.model) body.model = model; // it may no longer exist
    await chat.update(body);
    if (name !== chat.name) sessions.update(chat.id, { needsTitle: (chat.needsTitle = false) });
    $("settings").close();
  },
  close: () => document.querySelector("dialog[open]").close(),
  async reset() {
    const { reset } = chat;
    $("settings").close();
    const question = "Clear all messages in this chat? Its name, model and instructions are kept.";
    if (await askConfirmation(question, "Clear")) await attempt(reset);
  },
};

const messageOf = (id) => chat.conversation.messages.get(id);

// Send a message, whose files are uploaded first. replaces: see `Chat.send`.
async function sendMessage(content, files = [], replaces = undefined) {
  const target = chat; // the user may change to another chat
  messageList.isAtEnd = true;
  target.send(content, { replaces, ...(await upload(target.session, content, files)) });
}

// Show a message while its files are uploaded; return the fields of its entry in the outbox.
async function upload(session, content, files) {
  if (!files.length) return {};
  pending ??= { id: session.id, key: newKey(), content, files };
  draw();
  try {
    const parts = await toParts(session, content, files);
    return { parts, files: files.map(({ file, ...members }) => members) };
  } finally {
    pending = null;
    draw();
  }
}

// Return what the current model reads.
async function inputs() {
  models ??= await client.models();
  const name = chat ? chat.conversation.session.model : $("new-model").value;
  return models.find((each) => each.name === name)?.inputs ?? ["text"];
}

// Create the session of a new chat with its first message.
async function startChat(content, files) {
  const body = { ttl: config.ttl };
  if (config.titles !== "off") body.name = firstWords(content || files[0].name);
  if ($("new-model").value) body.model = $("new-model").value;
  if ($("new-prompt").value.trim()) body.system_prompt = $("new-prompt").value;
  // If the response was lost, a retry with the same fields must not create a second session.
  const fields = JSON.stringify(body);
  const known = sessions.creation();
  const { key } = known?.fields === fields ? known : { key: newKey() };
  sessions.saveCreation({ fields, key });
  pending = { id: "", key, content, files };
  draw();
  try {
    const session = await client.open(body, { key });
    const { id, token } = session;
    const entry = { key: newKey(), content, ...(await upload(session, content, files)) };
    sessions.saveCreation(null);
    const { name, created_at: at, expires_at } = session.fields;
    sessions.add({ id, token, name, at, expires_at, needsTitle: config.titles === "model" });
    sessions.addToOutbox(id, entry);
    $("new-prompt").value = "";
    $("new-instructions").open = false;
    if (!chat) navigate(id);
    else sidebar.draw();
  } finally {
    pending = null;
    draw();
  }
}

// Rate a reply; the pressed button removes its rating.
async function rate({ value, ariaPressed }, rating) {
  await chat.rate(value, ariaPressed === "true" ? null : rating);
}

async function exportChat(id, extension, type, format) {
  const { name, token } = sessions.find(id || chat.id);
  const exports = await import("./export.js").catch((cause) => {
    throw new APIConnectionError(cause);
  });
  const messages = [];
  for await (const message of client.session(token).history()) messages.push(message);
  exports.download(titleOf(name), extension, type, exports[format](titleOf(name), messages));
}

// Print all messages. A browser's own menu prints what is loaded: no event there can wait for messages.
async function printAll() {
  const target = chat; // the user may change to another chat
  while (target?.conversation.hasOlder) await target.loadOlder();
  if (chat !== target) return;
  for (const { id } of chat?.conversation.ordered ?? []) messageList.expanded.add(id);
  draw();
  print();
}

async function attempt(action) {
  const { hash } = location;
  showError("");
  try {
    await action();
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    if (hash === location.hash) showError(errorText(error), action);
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
  $("error").querySelector("[data-action=retry]").hidden = !action;
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

// Ask for a text in a dialog, which closes when `save` is done.
function openPrompt(title, label, submit, text, save, maxLength = -1) {
  $("prompt-title").textContent = title;
  $("prompt-label").textContent = label;
  $("prompt-submit").textContent = submit;
  const field = $("prompt-text");
  field.removeAttribute("maxlength");
  if (maxLength > 0) field.maxLength = maxLength;
  field.value = text ?? "";
  submitPrompt = async (value) => {
    await save(value);
    $("prompt").close();
  };
  $("prompt").showModal();
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
  chat = session ? new Chat(session, { changed: scheduleDraw, announce, renamed: () => sidebar.draw() }) : null;
  showError("");
  openMenu(false);
  composer.open(session?.id ?? "");
  sidebar.draw();
  draw();
  focusTarget([]).focus();
  if (!session && !$("new-model").length) void attempt(() => showModels($("new-model")));
}

// Show or hide the list of chats on a small screen.
function openMenu(isOpen) {
  const wasOpen = document.body.classList.contains("side-open");
  document.body.classList.toggle("side-open", isOpen);
  if (isOpen) $("new").focus();
  else if (wasOpen) $("menu").focus();
}

// Draw soon: the slower the last draw was, the later, so that the page stays responsive.
function scheduleDraw() {
  drawTimer ||= setTimeout(() => requestAnimationFrame(draw), 3 * drawTime);
}

function draw() {
  drawTimer = 0;
  const start = performance.now();
  if (chat) drawChat();
  else drawNewChat();
  drawTime = performance.now() - start;
}

function drawNewChat() {
  document.title = config.name;
  messageList.draw([], shownPending(""));
  $("title").textContent = "New chat";
  $("model").textContent = "";
  $("empty").hidden = pending?.id === "";
  $("options").hidden = false;
  for (const id of ["edit", "more", "connection", "older", "newest", "stop", "stop-all"]) $(id).hidden = true;
  $("composer").hidden = false;
  $("conversation").classList.remove("ended");
}

const shownPending = (id) => (pending?.id === id ? [pending] : []);

function drawChat() {
  const { id, conversation, offlineMessage, endMessage, needsSignIn } = chat;
  const { session, ordered, activeReplies, hasOlder } = conversation;
  const unsent = [...chat.unsent, ...shownPending(id)];
  if (session.id && session.name !== chat.name) {
    sessions.update(chat.id, { name: (chat.name = session.name) });
    sidebar.draw();
  }
  const hasEnded = Boolean(endMessage);
  set(document, { title: `${titleOf(chat.name)} · ${config.name}` });
  messageList.draw(ordered, unsent);
  set($("title"), { textContent: titleOf(chat.name) });
  set($("model"), { textContent: session.model ?? "" });
  set($("options"), { hidden: true });
  set($("edit"), { hidden: hasEnded, disabled: !session.id });
  set($("more"), { hidden: hasEnded });
  set($("empty"), { hidden: !session.id || ordered.length + unsent.length > 0 });
  set($("older"), { hidden: !hasOlder });
  set($("newest"), { hidden: messageList.isAtEnd });
  set($("connection"), { hidden: !offlineMessage && !hasEnded });
  const reconnecting = needsSignIn ? offlineMessage : `${offlineMessage} Reconnecting…`;
  set($("connection-text"), { textContent: endMessage || (offlineMessage && reconnecting) });
  set($("connect"), { hidden: hasEnded || needsSignIn });
  set($("reload"), { hidden: hasEnded || !needsSignIn });
  set($("start-over"), { hidden: !hasEnded });
  set($("composer"), { hidden: hasEnded });
  $("conversation").classList.toggle("ended", hasEnded);
  set($("stop"), { hidden: !activeReplies.length });
  set($("stop-all"), { hidden: activeReplies.length < 2 });
}

// Return the element that gets the focus when the focused one disappears. `path` are the focused
// element and its ancestors. On a touch screen it is not a field, which would open the keyboard.
function focusTarget(path) {
  if (path.includes($("side"))) return $("new");
  if (chat?.endMessage) return $("start-over");
  return matchMedia("(pointer: fine)").matches ? $("text") : $("log");
}

// Event listeners ---------------------------------------------------------------------------------

addEventListener("click", ({ target }) => {
  const pressed = target.closest("button[data-action]");
  const menu = target.closest("details.menu");
  for (const each of document.querySelectorAll("details.menu[open]")) each.open = each === menu && !pressed;
  if (pressed) void run(pressed);
});
addEventListener("submit", (event) => {
  if (!event.target.dataset.action) return;
  event.preventDefault();
  void run(event.target);
});

const isField = (element) => element.matches("input, textarea, select");

// Keys that work everywhere: key, with Ctrl or Command, in upper case with Shift.
const shortcuts = {
  "Ctrl+k": () => {
    openMenu(matchMedia("(max-width: 44rem)").matches);
    $("search").focus();
    $("search").select();
  },
  "Ctrl+O": actions.new,
  "Ctrl+p": () => void attempt(actions.print),
  "?": actions.help,
  Escape: onEscape,
};

addEventListener("keydown", (event) => {
  const { key, ctrlKey, metaKey, isComposing, target } = event;
  const name = ctrlKey || metaKey ? `Ctrl+${key}` : key;
  if (!Object.hasOwn(shortcuts, name) || isComposing || document.querySelector("dialog[open]")) return;
  if (name === "?" && isField(target)) return;
  if (name !== "Escape") event.preventDefault();
  shortcuts[name]();
});

// Close a menu, stop the reply, or, at the second press, all replies.
function onEscape() {
  const menu = document.querySelector("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (document.body.classList.contains("side-open")) openMenu(false);
  else if (chat) {
    const isSecond = performance.now() - lastEscape < DOUBLE_PRESS;
    lastEscape = performance.now();
    void attempt(isSecond ? actions.stopAll : actions.stop);
  }
}

addEventListener("hashchange", showSession);
const wouldLoseData = () => sessions.hasUnsaved() || pending?.files.length || composer.files.some(({ file }) => file);
addEventListener("beforeunload", (event) => wouldLoseData() && event.preventDefault());
// An on-screen keyboard may cover the page without resizing it.
globalThis.visualViewport?.addEventListener("resize", () => {
  const { height, scale } = visualViewport;
  if (scale === 1) document.body.style.height = `${height}px`;
});
setInterval(() => {
  if (!chat?.conversation.activeReplies.length) return;
  announce(chat.newWaits());
  scheduleDraw();
}, 1000);
guardFocus(focusTarget);
showSession();
// An open chat needs it now, a new one with the first reply.
if (chat) void loadRenderer();
else addEventListener("load", () => setTimeout(loadRenderer));
