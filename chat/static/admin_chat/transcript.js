// Shows the replies of a transcript as Markdown, with the chat page's renderer: untrusted text stays
// inert. A switch shows the stored text.

import { Markdown } from "../chat/markdown.js";

const KEY = "parley-admin-raw";

const transcript = document.getElementById("transcript");
const raw = document.getElementById("raw");

const render = (message) => {
  const text = message.querySelector(":scope > .text");
  if (!text || message.querySelector(".rendered")) return;
  const rendered = document.createElement("div");
  rendered.className = "rendered";
  text.after(rendered);
  new Markdown(rendered).show(text.textContent, !message.classList.contains("is-open"));
};

const show = () => {
  transcript.classList.toggle("is-raw", raw.checked);
  if (!raw.checked) transcript.querySelectorAll(".role-assistant").forEach(render);
};

raw.checked = localStorage.getItem(KEY) === "1";
raw.closest("label").hidden = false;
raw.addEventListener("change", () => {
  localStorage.setItem(KEY, raw.checked ? "1" : "");
  show();
});
show();
new MutationObserver(show).observe(transcript, { childList: true });
