// The live tail of a session's page: asks what has changed and puts it in place. What comes is HTML
// that the server has escaped, the same that the page is made of.

const WHILE_BUSY = 400; // ms between two looks while a reply grows
const WHILE_IDLE = 2000;
const AFTER_TROUBLE = 5000;
const TIMEOUT = 10_000; // ms; an answer that a dead network has lost is not waited for without end

const transcript = document.getElementById("transcript");
const facts = document.getElementById("facts");
let seq = Number(transcript.dataset.seq);

const elementOf = (html) => {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
};

const atTheEnd = () =>
  window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 80;

const put = ({ id, html }) => {
  const known = document.getElementById(id);
  if (known) {
    known.replaceWith(elementOf(html));
  } else {
    transcript.append(elementOf(html));
    document.querySelector(".empty")?.remove();
  }
};

const show = (told) => {
  const follows = atTheEnd();
  facts.innerHTML = told.facts;
  told.messages.forEach(put);
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
  if (told.facts) show(told);
  seq = told.seq;
  return transcript.querySelector(".is-open") ? WHILE_BUSY : WHILE_IDLE;
};

const follow = async () => {
  const pause = document.hidden ? WHILE_IDLE : await look().catch(() => AFTER_TROUBLE);
  if (pause) setTimeout(follow, pause);
};

follow();
