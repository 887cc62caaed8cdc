// The page in an iframe. It gets its options from the fragment of its address, and from messages of the
// pages that may embed it. Neither appears in a server's log.

const chat = document.querySelector("parley-chat");
const ancestors = document.body.dataset.ancestors.split(" ");
const isEmbedded = parent !== window;
let host = ""; // origin of the embedding page, once it has sent a message

// options: token, name, theme, requires-token; variables: CSS variables by name
function configure({ variables = {}, ...options }) {
  for (const [name, value] of Object.entries(variables)) {
    if (name.startsWith("--parley-")) chat.style.setProperty(name, value);
  }
  for (const name of ["requires-token", "theme", "name", "token"]) {
    if (name in options) chat.setAttribute(name, options[name]);
  }
}

// Send a message to the embedding page.
function tell(type, fields, origin = host) {
  if (isEmbedded && origin) parent.postMessage({ type: `parley.${type}`, ...fields }, origin);
}

configure(Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
// The token must not stay in the history.
history.replaceState(null, "", location.pathname);

addEventListener("message", ({ origin, source, data }) => {
  if (source !== parent || !ancestors.includes(origin)) return;
  if (data?.type === "parley.configure") {
    host = origin;
    configure(data);
  }
});
chat.addEventListener("parley-session", ({ detail }) => tell("session", { id: detail.session.id }));
chat.addEventListener("parley-message", ({ detail }) => tell("message", { content: detail.content }));
chat.addEventListener("parley-reply", ({ detail }) => tell("reply", { message: detail.message }));
chat.addEventListener("parley-error", ({ detail: { error } }) =>
  tell("error", { code: error.code, message: error.message }),
);
tell("ready", {}, "*"); // contains nothing, so any origin may read it
