// One open session: follows it, draws it, and acts on it.

import { call, insist, newKey } from "./api.js";
import { Conversation, Missed, OPEN } from "./conversation.js";
import { Log } from "./log.js";
import * as sessions from "./sessions.js";
import { follow } from "./transport.js";

const NEAR = 80; // pixels from the end within which the view stays at the end

export class Chat {
  // view: the elements log, messages, older, down; changed(chat), offline(is), ended(words), failed(words), say(words)
  constructor(session, view) {
    Object.assign(this, session, { view });
    this.conversation = new Conversation();
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
    this.isAtEnd = true;
    view.log.addEventListener("scroll", () => this.scrolled(), { signal, passive: true });
    addEventListener("online", () => this.flush(), { signal });
  }

  async open() {
    await this.reload();
    if (this.life.signal.aborted) return;
    this.stop = follow(this, this);
    this.ticking = setInterval(() => this.conversation.open.length && this.soon(), 1000);
    void this.flush();
  }

  close() {
    this.life.abort();
    this.stop?.();
    clearInterval(this.ticking);
    clearTimeout(this.drawing);
    this.log.pending.remove();
  }

  async reload() {
    this.conversation.replace(await this.read());
    this.draw();
  }

  read = (query = "") => call("GET", this.path + query, { token: this.token, signal: this.life.signal });

  // What the transport tells --------------------------------------------------------------------

  cursor = () => this.conversation.seq;
  online = () => this.view.offline(false);
  offline = () => this.view.offline(true);

  event(event) {
    if (event.type === "session.expired") return this.ended({ message: "This session has expired." });
    if (event.type === "session.deleted") return this.ended({ message: "This session was deleted." });
    const { messages } = this.conversation;
    const was = messages.get(event.message_id)?.status;
    try {
      this.conversation.apply(event);
    } catch (error) {
      if (!(error instanceof Missed)) throw error;
      return void this.reload().catch(() => {}); // the transport learns of the same trouble
    }
    const now = messages.get(event.message_id);
    if (OPEN.has(was) && now?.role === "assistant" && !OPEN.has(now.status)) this.tellOf(now);
    this.soon();
  }

  snapshot(session) {
    // Changed, but none of its messages: that may have been a reset, and only a full answer tells.
    if (session.seq > this.cursor() && !session.messages.length) {
      return void this.reload().catch(() => {});
    }
    const open = this.conversation.open.map(({ id }) => id);
    this.conversation.merge(session);
    const over = open.map((id) => this.conversation.messages.get(id)).filter((each) => !OPEN.has(each.status));
    over.forEach((reply) => this.tellOf(reply));
    this.soon();
  }

  ended(error) {
    this.stop?.();
    this.view.ended(error.message);
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
      const page = await this.read(`/messages?before=${first}&order=desc&limit=100`);
      this.conversation.hasOlder = page.has_more;
      page.data.forEach((message) => this.conversation.put(message));
      const fromEnd = log.scrollHeight - log.scrollTop;
      this.draw();
      log.scrollTop = log.scrollHeight - fromEnd; // what was being read stays where it was
    } catch (error) {
      if (error.name !== "AbortError") this.view.failed(error.message);
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
    for (const entry of this.waiting) if (!key || entry.key === key) delete entry.error;
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
        entry.error = `Not sent: ${error.message}`;
        this.view.say(entry.error);
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
  }

  async act(path, body) {
    try {
      const answer = await insist(`${this.path}/${path}`, { token: this.token, body });
      if (answer.reply) this.takeIn(answer);
      else if (answer.messages) this.conversation.replace(answer);
      this.soon();
      return true;
    } catch (error) {
      this.view.failed(error.message);
      return false;
    }
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
