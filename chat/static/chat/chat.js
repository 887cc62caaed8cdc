// One open session: follows it, keeps what waits to be sent, and acts on it.

import { call, insist, newKey } from "./api.js";
import { Conversation, OPEN } from "./conversation.js";
import * as sessions from "./sessions.js";
import { follow } from "./transport.js";
import { ended, waiting } from "./words.js";

const LATE = 5_000; // ms; a connection that has not told by then of what was accepted is taken for dead

export class Chat {
  offline = ""; // why no news comes, in words
  end = ""; // why none will come any more
  awaited = new Set(); // ids of replies whose end is to be told
  told = new Set(); // of open replies, and what they wait for

  // page: changed(), say(words)
  constructor(session, page) {
    Object.assign(this, session, page);
    this.path = `sessions/${this.id}`;
    this.conversation = new Conversation(session);
    this.outbox = sessions.outbox(this.id);
    this.connection = follow(this, this);
    void this.flush();
  }

  close() {
    this.connection.stop();
    this.isClosed = true;
    this.changed = this.say = () => {};
  }

  // What the transport asks and tells -------------------------------------------------------------

  isBehind = () => this.conversation.isBehind;
  cursor = () => this.conversation.seq;

  online() {
    if (!this.offline) return;
    this.offline = "";
    void this.flush();
  }

  lost(error) {
    this.offline = error?.status ? error.message : "No connection.";
    this.changed();
  }

  whole(snapshot) {
    snapshot.messages.filter(({ seq }) => seq > this.cursor()).forEach((each) => this.recognise(each));
    this.take(() => this.conversation.replace(snapshot));
  }

  snapshot = (session) => this.take(() => this.conversation.follow(session));

  event(event) {
    if (event.type === "session.expired") return this.over("This session has expired.");
    if (event.type === "session.deleted") return this.over("This session was deleted.");
    if (event.message) this.recognise(event.message);
    this.take(() => this.conversation.apply(event));
  }

  // What was posted is often told of before its call is answered; it must not be shown twice meanwhile.
  recognise({ role, content, seq }) {
    const { posted } = this;
    if (posted && !posted.seq && role === "user" && content === posted.content) posted.seq = seq;
  }

  over(words) {
    this.connection.stop();
    const { size } = this.conversation.messages;
    this.end = `${words} ${size ? "Its messages are shown as they were." : "Nothing is left of it."}`;
    this.changed();
  }

  take(change) {
    change();
    for (const { id } of this.conversation.open) this.awaited.add(id);
    this.tell();
    this.changed();
  }

  // Say how replies have ended: each at once, for piece by piece it could not be followed.
  tell() {
    for (const id of this.awaited) {
      const reply = this.conversation.messages.get(id);
      if (!reply || OPEN.has(reply.status)) continue;
      this.awaited.delete(id);
      this.say(ended(reply) || `Reply: ${reply.content}`);
    }
  }

  // Return what the open replies wait for, as far as it has not been told.
  news() {
    const known = this.told;
    const waits = this.conversation.open.map((reply, ahead) => [reply.id, waiting(reply, ahead)]);
    this.told = new Set(waits.map(String));
    return waits.filter((each) => !known.has(String(each))).map(([, words]) => words).join(" ");
  }

  // What is sent ----------------------------------------------------------------------------------

  // What the conversation does not tell of yet.
  get unsent() {
    return this.outbox.filter(({ error, seq = Infinity }) => error || seq > this.cursor());
  }

  send(content) {
    const entry = { key: newKey(), content };
    sessions.keep(this.id, entry);
    this.outbox.push(entry);
    void this.flush();
  }

  resend(key) {
    delete this.outbox.find((entry) => entry.key === key).error;
    void this.flush();
  }

  // Take a message back, and return its content.
  discard(key) {
    const { content } = this.outbox.find((entry) => entry.key === key);
    sessions.drop(this.id, key);
    this.outbox = this.outbox.filter((entry) => entry.key !== key);
    this.changed();
    return content;
  }

  // Post what waits, in order; a message that was refused lets those after it pass.
  async flush() {
    for (const entry of this.outbox) if (entry.error?.mayPass) delete entry.error;
    this.changed();
    if (this.isFlushing) return;
    this.isFlushing = true;
    let entry;
    while ((this.posted = entry = this.outbox.find(({ error, seq }) => !error && !seq)) && !this.isClosed) {
      try {
        const { seq, id } = (await this.act("messages", { content: entry.content }, entry.key)).reply;
        entry.seq = seq;
        sessions.drop(this.id, entry.key);
        if (!this.conversation.messages.has(id)) this.awaited.add(id);
      } catch (error) {
        entry.error = error;
        this.say(`Not sent: ${error.message}`);
      }
      this.changed();
    }
    this.isFlushing = false;
  }

  // Acts: what comes of them the log tells ----------------------------------------------------------

  async act(path, body = {}, key = newKey()) {
    const answer = await insist("POST", `${this.path}/${path}`, { token: this.token, body, key });
    const { seq } = answer.reply ?? answer;
    setTimeout(() => this.cursor() < seq && this.connection.again(), LATE);
    return answer;
  }

  regenerate = (id) => this.act(`messages/${id}/regenerate`);
  reset = () => this.act("reset");
  change = (body) => insist("PATCH", this.path, { token: this.token, body });

  async cancel() {
    const [reply] = this.conversation.open;
    if (reply) await this.act(`messages/${reply.id}/cancel`);
  }

  async older() {
    if (this.isReading || !this.conversation.hasOlder) return;
    this.isReading = true;
    try {
      const { id } = this.conversation.ordered[0];
      const path = `${this.path}/messages?before=${id}&order=desc&limit=100`;
      this.conversation.extend(id, await call("GET", path, { token: this.token }));
      this.changed();
    } finally {
      this.isReading = false;
    }
  }
}
