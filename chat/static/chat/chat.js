// The current chat: subscribes to its session, sends messages, calls the API.

import { call, callWithRetries, newKey } from "./api.js";
import { Conversation, isActive } from "./conversation.js";
import { outcomeText, waitText } from "./reply_status.js";
import * as sessions from "./sessions.js";
import { subscribe } from "./transport.js";

const EVENT_TIMEOUT = 5_000; // ms from a response to its event; then the connection counts as dead

export class Chat {
  offlineMessage = ""; // why there is no connection
  endMessage = ""; // why the session has ended
  unannounced = new Set(); // ids of replies whose outcome is not announced yet
  announcedWaits = new Set(); // wait reasons of active replies that were announced

  // page: changed(), announce(text)
  constructor(session, page) {
    Object.assign(this, session, page);
    this.path = `sessions/${this.id}`;
    this.conversation = new Conversation(session);
    this.outbox = sessions.outbox(this.id);
    this.connection = subscribe(this, this);
    void this.flush();
  }

  close() {
    this.connection.stop();
    this.isClosed = true;
    this.changed = this.announce = () => {};
  }

  // Callbacks of the transport --------------------------------------------------------------------

  isStale = () => this.conversation.isStale;
  cursor = () => this.conversation.seq;

  onConnect() {
    if (!this.offlineMessage) return;
    this.offlineMessage = "";
    void this.flush();
  }

  onDisconnect(error) {
    this.offlineMessage = error?.status ? error.message : "Connection lost.";
    this.changed();
  }

  onSnapshot(snapshot) {
    snapshot.messages.filter(({ seq }) => seq > this.cursor()).forEach((each) => this.matchPosted(each));
    this.apply(() => this.conversation.applySnapshot(snapshot));
  }

  onChanges = (session) => this.apply(() => this.conversation.applyChanges(session));

  onEvent(event) {
    if (event.type === "session.expired") return this.onEnd("This chat has expired.");
    if (event.type === "session.deleted") return this.onEnd("This chat was deleted.");
    if (event.message) this.matchPosted(event.message);
    this.apply(() => this.conversation.applyEvent(event));
  }

  onEnd(reason) {
    this.connection.stop();
    const { size } = this.conversation.messages;
    const rest = size ? "You can still read its messages." : "Its messages are no longer available.";
    this.endMessage = `${reason} ${rest}`;
    this.changed();
  }

  // The event of a posted message often arrives before the response to the POST. Match them, so that
  // the message is not shown twice.
  matchPosted({ role, content, seq }) {
    const { posted } = this;
    if (posted && !posted.seq && role === "user" && content === posted.content) posted.seq = seq;
  }

  apply(change) {
    change();
    for (const { id } of this.conversation.activeReplies) this.unannounced.add(id);
    this.announceOutcomes();
    this.changed();
  }

  // Announce each finished reply as a whole; screen readers cannot follow deltas.
  announceOutcomes() {
    for (const id of this.unannounced) {
      const reply = this.conversation.messages.get(id);
      if (!reply || isActive(reply)) continue;
      this.unannounced.delete(id);
      this.announce(outcomeText(reply) || `Reply: ${reply.content}`);
    }
  }

  // Return the wait reasons of active replies that were not announced before.
  newWaits() {
    const known = this.announcedWaits;
    const replies = this.conversation.activeReplies;
    const waits = replies.map((reply, ahead) => [reply.id, waitText(reply, ahead)]);
    this.announcedWaits = new Set(waits.map(String));
    return waits.filter((each) => !known.has(String(each))).map(([, text]) => text).join(" ");
  }

  // Outbox ----------------------------------------------------------------------------------------

  // Messages that the conversation does not contain yet.
  get unsent() {
    return this.outbox.filter(({ error, seq = Infinity }) => error || seq > this.cursor());
  }

  send(content) {
    const entry = { key: newKey(), content };
    sessions.addToOutbox(this.id, entry);
    this.outbox.push(entry);
    void this.flush();
  }

  resend(key) {
    delete this.outbox.find((entry) => entry.key === key).error;
    void this.flush();
  }

  // Remove an unsent message and return its content.
  discard(key) {
    const { content } = this.outbox.find((entry) => entry.key === key);
    sessions.removeFromOutbox(this.id, key);
    this.outbox = this.outbox.filter((entry) => entry.key !== key);
    this.changed();
    return content;
  }

  // Post the messages in order. A rejected message does not block those after it.
  async flush() {
    for (const entry of this.outbox) if (entry.error?.isRetryable) delete entry.error;
    this.changed();
    if (this.isFlushing) return;
    this.isFlushing = true;
    let entry;
    while ((this.posted = entry = this.outbox.find(({ error, seq }) => !error && !seq)) && !this.isClosed) {
      try {
        const { seq, id } = (await this.post("messages", { content: entry.content }, entry.key)).reply;
        entry.seq = seq;
        sessions.removeFromOutbox(this.id, entry.key);
        if (!this.conversation.messages.has(id)) this.unannounced.add(id);
      } catch (error) {
        entry.error = error;
        this.announce(`Not sent: ${error.message}`);
      }
      this.changed();
    }
    this.isFlushing = false;
  }

  // Calls: their effects arrive as events -----------------------------------------------------------

  async post(path, body = {}, key = newKey()) {
    const response = await callWithRetries("POST", `${this.path}/${path}`, { token: this.token, body, key });
    const { seq } = response.reply ?? response;
    setTimeout(() => this.cursor() < seq && this.connection.reconnect(), EVENT_TIMEOUT);
    return response;
  }

  regenerate = (id) => this.post(`messages/${id}/regenerate`);
  reset = () => this.post("reset");
  update = (body) => callWithRetries("PATCH", this.path, { token: this.token, body });

  async cancel() {
    const [reply] = this.conversation.activeReplies;
    if (reply) await this.post(`messages/${reply.id}/cancel`);
  }

  async loadOlder() {
    if (this.isLoading || !this.conversation.hasOlder) return;
    this.isLoading = true;
    try {
      const { id } = this.conversation.ordered[0];
      const path = `${this.path}/messages?before=${id}&order=desc&limit=100`;
      this.conversation.addOlder(id, await call("GET", path, { token: this.token }));
      this.changed();
    } finally {
      this.isLoading = false;
    }
  }
}
