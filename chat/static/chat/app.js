// The page: the list of sessions, opening one, its settings, the field to write in.

import { call, insist } from "./api.js";
import { Chat } from "./chat.js";
import { $, button, make } from "./dom.js";
import * as sessions from "./sessions.js";

let chat = null;

const view = {
  log: $("log"),
  messages: $("messages"),
  older: $("older"),
  down: $("down"),
  changed({ conversation: { session, messages, open }, waiting, isOver }) {
    const name = session.name || "Untitled";
    $("title").textContent = name;
    $("model").textContent = session.model ?? "";
    document.title = `${name} · Parley`;
    $("stop").hidden = isOver || !open.length;
    $("edit").disabled = isOver || !session.id;
    $("composer").inert = isOver;
    $("empty").hidden = !session.id || messages.size + waiting.length > 0;
    if (session.id && sessions.find(session.id)?.name !== session.name) {
      sessions.rename(session.id, session.name);
      listSessions();
    }
  },
  offline(words) {
    $("offline-text").textContent = `${words} Trying again…`;
    $("offline").hidden = !words;
  },
  failed: (words) => tell(words),
  say(words) {
    $("said").textContent = words;
  },
};

function tell(words, retry) {
  $("trouble-text").textContent = words;
  $("trouble").hidden = !words;
  $("retry").hidden = !retry;
  $("retry").onclick = retry;
}

// Sessions ----------------------------------------------------------------------------------------

function listSessions() {
  const rows = sessions.list().map(({ id, name }) => {
    const link = make("a", { href: `#${id}` }, name || "Untitled");
    if (id === chat?.id) link.setAttribute("aria-current", "page");
    const forget = button("×", "quiet", () => void remove(id), `Delete session ${name || "Untitled"}`);
    return make("li", {}, link, forget);
  });
  $("sessions").replaceChildren(...rows);
}

async function remove(id) {
  const { token, name } = sessions.find(id);
  if (!(await confirmed(`Delete “${name || "Untitled"}” and all its messages?`, "Delete"))) return;
  try {
    await call("DELETE", `sessions/${id}`, { token });
  } catch (error) {
    if (!error.isEnd) return tell(error.message);
  }
  sessions.forget(id);
  if (id === chat?.id) location.hash = "";
  listSessions();
}

function show() {
  const session = sessions.find(location.hash.slice(1));
  chat?.close();
  tell("");
  view.offline("");
  view.older.hidden = view.down.hidden = true;
  chat = session ? new Chat(session, view) : null;
  $("welcome").hidden = Boolean(session);
  $("conversation").hidden = !session;
  closeSide();
  listSessions();
  if (!session) document.title = "Parley";
  $(session ? "text" : "name").focus();
  chat?.draw();
}

async function loadModels() {
  try {
    const { data } = await call("GET", "models");
    for (const select of [$("new-model"), $("set-model")]) {
      select.replaceChildren(...data.map(({ name, is_default }) => new Option(name, name, is_default, is_default)));
    }
  } catch (error) {
    tell(`The models cannot be listed: ${error.message}`, () => (tell(""), void loadModels()));
  }
}

$("start").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = { name: $("name").value.trim() };
  if ($("new-model").value) body.model = $("new-model").value;
  if ($("new-prompt").value.trim()) body.system_prompt = $("new-prompt").value;
  $("start").inert = true;
  try {
    const session = await insist("sessions", { body });
    sessions.add(session);
    tell("");
    $("start").reset();
    location.hash = session.id;
  } catch (error) {
    tell(error.message, () => $("start").requestSubmit());
  } finally {
    $("start").inert = false;
  }
});

// The field to write in ---------------------------------------------------------------------------

function fit() {
  const field = $("text");
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
  $("send").disabled = !field.value.trim();
}

$("text").addEventListener("input", fit);
$("text").addEventListener("keydown", (event) => {
  // While an input method composes a character, Enter is its own.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
});
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const content = $("text").value;
  if (!content.trim() || !chat) return;
  $("text").value = "";
  fit();
  void chat.send(content);
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if (document.body.classList.contains("side-open")) return closeSide();
  void chat?.cancel();
});
$("stop").addEventListener("click", () => {
  $("text").focus();
  void chat.cancel();
});
view.down.addEventListener("click", () => {
  chat.toEnd();
  $("text").focus();
});
view.older.addEventListener("click", () => void chat.older());

// Dialogs -----------------------------------------------------------------------------------------

$("edit").addEventListener("click", () => {
  const { name, model, system_prompt } = chat.conversation.session;
  $("set-name").value = name ?? "";
  $("set-model").value = model;
  $("set-prompt").value = system_prompt ?? "";
  $("settings-trouble").textContent = "";
  $("settings").showModal();
});
$("settings-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = {
    name: $("set-name").value.trim(),
    system_prompt: $("set-prompt").value.trim() ? $("set-prompt").value : null,
  };
  if ($("set-model").value) body.model = $("set-model").value;
  try {
    await chat.change(body);
    $("settings").close();
  } catch (error) {
    $("settings-trouble").textContent = error.message;
  }
});
$("settings-close").addEventListener("click", () => $("settings").close());
$("reset").addEventListener("click", async () => {
  $("settings").close();
  if (await confirmed("Clear all messages of this session? Its name, model and prompt stay.", "Clear")) {
    await chat.reset();
  }
  $("text").focus();
});

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
$("confirm-yes").addEventListener("click", () => $("confirm").close("yes"));
$("confirm-no").addEventListener("click", () => $("confirm").close());

// The list on a phone -----------------------------------------------------------------------------

function closeSide() {
  document.body.classList.remove("side-open");
  $("main").inert = false;
  for (const menu of document.querySelectorAll(".menu")) menu.setAttribute("aria-expanded", "false");
}
for (const menu of document.querySelectorAll(".menu")) {
  menu.addEventListener("click", () => {
    document.body.classList.add("side-open");
    $("main").inert = true;
    menu.setAttribute("aria-expanded", "true");
    $("new").focus();
  });
}
$("side-close").addEventListener("click", closeSide);
$("new").addEventListener("click", () => {
  if (location.hash) location.hash = "";
  else show();
});

addEventListener("hashchange", show);
sessions.onChange(listSessions);
$("again").addEventListener("click", () => chat.connection.again());
show();
void loadModels();
