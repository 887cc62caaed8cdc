// Live updates of a session page: polls for changes and shows them. The server renders and escapes the
// HTML with the same templates as the page.

const BUSY_INTERVAL = 400; // ms between two polls while a reply grows
const IDLE_INTERVAL = 2000;
const IMMEDIATELY = 1;
const ERROR_INTERVAL = 5000;
const TIMEOUT = 10_000; // ms; fetch has no timeout, so a dead network would never fail

const transcript = document.getElementById("transcript");
const stale = document.getElementById("stale");
let seq = Number(transcript.dataset.seq);

const parseElement = (html) => {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
};

const isAtEnd = () =>
  window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 80;

const contents = {};
// Replace the contents of an element only if they changed, which keeps selections.
const setContent = (id, html) => {
  if (contents[id] === html) return;
  contents[id] = html;
  document.getElementById(id).innerHTML = html;
};

// Whether each message of the newest page is in the response or already up to date on the page. It is
// not if Redis lost its latest writes, or if the page was rendered from an older state.
const isComplete = ({ seqs, messages }) => {
  const received = new Set(messages.map(({ id }) => id));
  return seqs.every(
    ([id, latest]) => received.has(id) || document.getElementById(id)?.dataset.seq === String(latest),
  );
};

// Make the transcript show the newest page. Messages that a reset has cleared are removed.
const updateTranscript = ({ seqs, messages, older }) => {
  const received = new Map(messages.map(({ id, html }) => [id, parseElement(html)]));
  const ids = new Set(seqs.map(([id]) => id));
  [...transcript.children].filter(({ id }) => !ids.has(id)).forEach((each) => each.remove());
  seqs.forEach(([id], index) => {
    const current = document.getElementById(id);
    const element = received.get(id) ?? current;
    if (current && current !== element) {
      if (current.querySelector(".reasoning[open]")) element.querySelector(".reasoning")?.setAttribute("open", "");
      current.replaceWith(element);
    }
    const sibling = transcript.children[index] ?? null;
    if (sibling !== element) transcript.insertBefore(element, sibling);
  });
  document.getElementById("empty").hidden = seqs.length > 0;
  document.getElementById("older").hidden = older === null;
  document.querySelector("#older a").href = `?before=${older ?? ""}`;
};

const show = (update) => {
  const wasAtEnd = isAtEnd();
  setContent("facts", update.facts);
  setContent("buttons", update.buttons);
  setContent("settings", update.settings);
  document.querySelector("#content > h1").textContent = update.title;
  if (update.seqs) updateTranscript(update);
  if (wasAtEnd) window.scrollTo(0, document.documentElement.scrollHeight);
};

// Fetch and show changes; return the milliseconds until the next poll, or null if the session ended.
const poll = async () => {
  const response = await fetch(`${transcript.dataset.live}?after=${seq}`, {
    signal: AbortSignal.timeout(TIMEOUT),
  });
  if (!response.ok || response.redirected) throw new Error(response.statusText);
  const update = await response.json();
  if (update.is_gone) {
    document.getElementById("gone").hidden = false;
    return null;
  }
  if (update.seqs && !isComplete(update)) {
    seq = 0;
    return IMMEDIATELY;
  }
  show(update);
  seq = update.seq;
  return transcript.querySelector(".is-open") ? BUSY_INTERVAL : IDLE_INTERVAL;
};

const pollAndReportErrors = async () => {
  try {
    const delay = await poll();
    stale.hidden = true;
    return delay;
  } catch {
    stale.hidden = false;
    return ERROR_INTERVAL;
  }
};

const run = async () => {
  const delay = document.hidden ? IDLE_INTERVAL : await pollAndReportErrors();
  if (delay) setTimeout(run, delay);
};

run();
