// One open session: follows it, draws it, and acts on it.

import { call, insist, newKey } from "./api.js";
import { Conversation, OPEN } from "./conversation.js";
import { Log } from "./log.js";
import * as sessions from "./sessions.js";
import { follow } from "./transport.js";

const NEAR = 80; // pixels from the end within which the view stays at the end
const LATE = 5_000; // ms; a connection that has not told by then of what was accepted is taken for dead

export class Chat {
  isAtEnd = true;
  isOver = false; // the session has ended
  isOffline = false;

  // view: the elements log, messages, older, down; changed(chat), offline(words), failed(words), say(words)
  constructor(session, view) {
    Object.assign(this, session, { view });
    this.conversation = new Conversation(session);
    this.waiting = sessions.outbox(this.id); // messages that have not been accepted yet
    this.path = `sessions/${this.id}`;
    this.life = new AbortController();
    view.messages.replaceChildren();
    this.log = new Log(view.messages, {
      regenerate: (id) => this.act(`messages/${id}/regenerate`),
      resend: (key) => this.flush(key),
      discard: (key) => this.accepted(key),
    });
    const { signal } = this.life;
    view.log.addEventListener("scroll", () => this.scrolled(), { signal, passive: true });
    this.ticking = setInterval(() => this.conversation.open.length && this.soon(), 1000);
    this.connection = follow(this, this);
    void this.flush();
  }

  close() {
    this.life.abort();
    this.connection.stop();
    clearInterval(this.ticking);
    clearTimeout(this.drawing);
    this.log.pending.remove();
  }

  // What the transport asks and tells -------------------------------------------------------------

  isBehind = () => this.conversation.isBehind;
  cursor = () => this.conversation.seq;

  online() {
    this.view.offline("");
    if (this.isOffline) void this.flush();
    this.isOffline = false;
  }

  offline(error) {
    this.isOffline = true;
    this.view.offline(error?.status ? error.message : "No connection.");
  }

  whole = (snapshot) => this.take(() => this.conversation.replace(snapshot));

  event(event) {
    if (event.type === "session.expired") return this.ended({ message: "This session has expired." });
    if (event.type === "session.deleted") return this.ended({ message: "This session was deleted." });
    this.take(() => this.conversation.apply(event));
  }

  snapshot(session) {
    // Changed, but none of its messages: that may have been a reset, and only a full answer tells.
    this.conversation.isBehind = session.seq > this.cursor() && !session.messages.length;
    if (!this.conversation.isBehind) this.take(() => this.conversation.merge(session));
  }

  take(change) {
    const { open, messages } = this.conversation;
    change();
    const over = open.map(({ id }) => messages.get(id)).filter((reply) => reply && !OPEN.has(reply.status));
    over.forEach((reply) => this.tellOf(reply));
    this.soon();
  }

  ended(error) {
    this.connection.stop();
    this.isOver = true;
    this.view.offline("");
    this.view.failed(`${error.message} Its messages are shown as they were; open a new session to go on.`);
    this.draw();
  }

  // A whole reply at once: read out piece by piece it could not be followed.
  tellOf({ status, content, error }) {
    this.view.say(status === "completed" ? `Reply: ${content}` : (error?.message ?? "The reply has ended."));
  }

  // Drawing ---------------------------------------------------------------------------------------

  // Draw in a while: the costlier the last time was, the later, so that the page stays at hand.
  soon() {
    this.drawing ||= setTimeout(() => requestAnimationFrame(() => this.draw()), 3 * (this.cost ?? 0));
  }

  draw() {
    this.drawing = 0;
    if (this.life.signal.aborted) return;
    const start = performance.now();
    this.log.draw(this.conversation.ordered, this.waiting);
    this.view.older.hidden = !this.conversation.hasOlder;
    if (this.isAtEnd) this.toEnd();
    this.view.down.hidden = this.isAtEnd;
    this.view.changed(this);
    this.cost = performance.now() - start;
  }

  toEnd() {
    const { log } = this.view;
    log.scrollTop = log.scrollHeight;
    this.isAtEnd = true;
    this.view.down.hidden = true;
  }

  scrolled() {
    const { log, down } = this.view;
    this.isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
    down.hidden = this.isAtEnd;
    if (log.scrollTop < NEAR && !this.isAtEnd) void this.older();
  }

  async older() {
    if (this.reading || !this.conversation.hasOlder) return;
    this.reading = true;
    const { log } = this.view;
    try {
      const first = this.conversation.ordered[0].id;
      const path = `${this.path}/messages?before=${first}&order=desc&limit=100`;
      const page = await call("GET", path, { token: this.token });
      if (this.life.signal.aborted) return;
      this.conversation.hasOlder = page.has_more;
      page.data.forEach((message) => this.conversation.put(message));
      const fromEnd = log.scrollHeight - log.scrollTop;
      this.draw();
      log.scrollTop = log.scrollHeight - fromEnd; // what was being read stays where it was
    } catch (error) {
      this.fail(error.message);
    } finally {
      this.reading = false;
    }
  }

  // Acts ------------------------------------------------------------------------------------------

  send(content) {
    const entry = { key: newKey(), content };
    sessions.keep(this.id, entry);
    this.waiting.push(entry);
    this.isAtEnd = true;
    this.draw();
    return this.flush();
  }

  // Post what waits, in order; a message that was refused lets those after it pass.
  async flush(key) {
    for (const entry of this.waiting) {
      if (key ? entry.key === key : entry.error?.mayPass) delete entry.error;
    }
    if (this.flushing) return;
    this.flushing = true;
    let entry;
    while ((entry = this.waiting.find(({ error }) => !error)) && !this.life.signal.aborted) {
      this.draw();
      try {
        const { content, key } = entry;
        this.takeIn(await insist(`${this.path}/messages`, { token: this.token, body: { content }, key }));
        this.accepted(entry.key);
      } catch (error) {
        entry.error = error;
        this.view.say(`Not sent: ${error.message}`);
      }
    }
    this.flushing = false;
    this.draw();
  }

  accepted(key) {
    sessions.drop(this.id, key);
    this.waiting = this.waiting.filter((entry) => entry.key !== key);
    this.draw();
  }

  takeIn({ message, reply }) {
    if (message) this.conversation.put(message);
    this.conversation.put(reply);
    setTimeout(() => this.cursor() < reply.seq && this.connection.again(), LATE);
  }

  async act(path, body) {
    try {
      const answer = await insist(`${this.path}/${path}`, { token: this.token, body });
      if (answer.reply) this.takeIn(answer);
      else if (answer.messages && answer.seq >= this.cursor()) this.conversation.replace(answer);
      this.soon();
    } catch (error) {
      this.fail(error.message);
    }
  }

  fail(words) {
    if (!this.life.signal.aborted) this.view.failed(words); // the view may show another session by now
  }

  cancel() {
    const [reply] = this.conversation.open;
    if (reply) return this.act(`messages/${reply.id}/cancel`);
  }

  reset = () => this.act("reset");

  async change(body) {
    const { messages: _, ...session } = await call("PATCH", this.path, { token: this.token, body });
    Object.assign(this.conversation.session, session);
    this.soon();
  }
}
