// The live tail of a session's page: asks what has changed and puts it in place. What comes is HTML
// that the server has escaped, the same that the page is made of.

const WHILE_BUSY = 400; // ms between two looks while a reply grows
const WHILE_IDLE = 2000;
const AT_ONCE = 1;
const AFTER_TROUBLE = 5000;
const TIMEOUT = 10_000; // ms; an answer that a dead network has lost is not waited for without end

const transcript = document.getElementById("transcript");
const stale = document.getElementById("stale");
let seq = Number(transcript.dataset.seq);

const elementOf = (html) => {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
};

const atTheEnd = () =>
  window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 80;

const filled = {};
// What is the same stays in place: somebody may be marking it.
const fill = (id, html) => {
  if (filled[id] === html) return;
  filled[id] = html;
  document.getElementById(id).innerHTML = html;
};

// Whether each message of the newest page has come now, or is shown as it stands. If not, something
// was missed: Redis has lost its last writes, or the page was made of an older state.
const isWhole = ({ names, messages }) => {
  const sent = new Set(messages.map(({ id }) => id));
  return names.every(
    ([id, at]) => sent.has(id) || document.getElementById(id)?.dataset.seq === String(at),
  );
};

// Makes the transcript the newest page, whatever it was: what a reset has cleared goes.
const arrange = ({ names, messages, older }) => {
  const fresh = new Map(messages.map(({ id, html }) => [id, elementOf(html)]));
  const known = new Set(names.map(([id]) => id));
  [...transcript.children].filter(({ id }) => !known.has(id)).forEach((each) => each.remove());
  names.forEach(([id], place) => {
    const shown = document.getElementById(id);
    const wanted = fresh.get(id) ?? shown;
    if (shown && shown !== wanted) shown.replaceWith(wanted);
    const there = transcript.children[place] ?? null;
    if (there !== wanted) transcript.insertBefore(wanted, there);
  });
  document.getElementById("empty").hidden = names.length > 0;
  document.getElementById("older").hidden = older === null;
  document.querySelector("#older a").href = `?before=${older ?? ""}`;
};

const show = (told) => {
  const follows = atTheEnd();
  fill("facts", told.facts);
  fill("settled", told.settled);
  document.querySelector("#content > h1").textContent = told.title;
  if (told.names) arrange(told);
  if (follows) window.scrollTo(0, document.documentElement.scrollHeight);
};

const look = async () => {
  const answer = await fetch(`${transcript.dataset.live}?after=${seq}`, {
    signal: AbortSignal.timeout(TIMEOUT),
  });
  if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
  const told = await answer.json();
  if (told.is_gone) {
    document.getElementById("gone").hidden = false;
    return null;
  }
  if (told.names && !isWhole(told)) {
    seq = 0;
    return AT_ONCE;
  }
  show(told);
  seq = told.seq;
  return transcript.querySelector(".is-open") ? WHILE_BUSY : WHILE_IDLE;
};

const tryToLook = async () => {
  try {
    const pause = await look();
    stale.hidden = true;
    return pause;
  } catch {
    stale.hidden = false;
    return AFTER_TROUBLE;
  }
};

const follow = async () => {
  const pause = document.hidden ? WHILE_IDLE : await tryToLook();
  if (pause) setTimeout(follow, pause);
};

follow();
