// The current chat: subscribes to its session, sends messages, calls the API.

import { APIConnectionError, Conversation, isActive, newKey, ParleyError } from "./client.js";
import { outcomeText, waitText } from "./reply_status.js";
import { client } from "./server.js";
import * as sessions from "./sessions.js";

const EVENT_TIMEOUT = 5_000; // ms from a response to its event; then the connection counts as dead

export class Chat {
  offlineMessage = ""; // why there is no connection
  endMessage = ""; // why the session has ended
  unannounced = new Set(); // ids of replies whose outcome is not announced yet
  announcedWaits = new Set(); // wait reasons of active replies that were announced

  // page: changed(), announce(text)
  constructor(session, page) {
    Object.assign(this, session, page);
    this.session = client.session(this.token);
    this.conversation = new Conversation({ name: this.name });
    this.outbox = sessions.outbox(this.id);
    this.connection = this.session.subscribe({
      pauseWhenHidden: true,
      retryTimeout: Infinity,
      onConnect: () => this.onConnect(),
      onDisconnect: (error) => this.onDisconnect(error),
    });
    void this.receive();
    void this.flush();
  }

  close() {
    this.connection.close();
    this.isClosed = true;
    this.changed = this.announce = () => {};
  }

  // Updates ---------------------------------------------------------------------------------------

  async receive() {
    try {
      for await (const update of this.connection) {
        this.onUpdate(update);
        if (this.conversation.isStale) this.connection.cursor = null;
      }
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      this.onEnd(error.message);
    }
  }

  onConnect() {
    if (!this.offlineMessage) return;
    this.offlineMessage = "";
    void this.flush();
  }

  onDisconnect(error) {
    this.offlineMessage = error?.status ? error.message : "Connection lost.";
    this.changed();
  }

  onUpdate(update) {
    if (update.type === "session.expired") return this.onEnd("This chat has expired.");
    if (update.type === "session.deleted") return this.onEnd("This chat was deleted.");
    const messages = update.messages ?? (update.message ? [update.message] : []);
    messages.filter(({ seq }) => seq > this.conversation.seq).forEach((each) => this.matchPosted(each));
    this.conversation.apply(update);
    for (const { id } of this.conversation.activeReplies) this.unannounced.add(id);
    this.announceOutcomes();
    this.changed();
  }

  onEnd(reason) {
    this.connection.close();
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
    return this.outbox.filter(({ error, seq = Infinity }) => error || seq > this.conversation.seq);
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
        const reply = this.session.send(entry.content, { key: entry.key });
        const { seq, id } = await this.watch(reply.accepted);
        entry.seq = seq;
        sessions.removeFromOutbox(this.id, entry.key);
        if (!this.conversation.messages.has(id)) this.unannounced.add(id);
      } catch (error) {
        entry.error = error;
        // The browser may have used a dead connection; a new one sends the message again.
        if (error instanceof APIConnectionError) this.offlineMessage ||= "Connection lost.";
        if (error instanceof APIConnectionError) this.connection.reconnect();
        this.announce(`Not sent: ${error.message}`);
      }
      this.changed();
    }
    this.isFlushing = false;
  }

  // Calls: their effects arrive as events -----------------------------------------------------------

  // Return the result of a call. Its event must arrive soon.
  async watch(call) {
    const result = await call;
    setTimeout(() => this.conversation.seq < result.seq && this.connection.reconnect(), EVENT_TIMEOUT);
    return result;
  }

  regenerate = (id) => this.watch(this.session.regenerate(id).accepted);
  reset = () => this.watch(this.session.reset());
  update = (body) => this.session.update(body);

  async cancel() {
    const [reply] = this.conversation.activeReplies;
    if (reply) await this.watch(this.session.cancel(reply.id));
  }

  async loadOlder() {
    if (this.isLoading || !this.conversation.hasOlder) return;
    this.isLoading = true;
    try {
      const { id } = this.conversation.ordered[0];
      const page = await this.session.messages({ before: id, order: "desc", limit: 100 });
      this.conversation.addOlder(id, page);
      this.changed();
    } finally {
      this.isLoading = false;
    }
  }
}
