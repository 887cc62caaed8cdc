// The current chat: subscribes to its session, sends messages, calls the API.

import { APIConnectionError, Conversation, isActive, newKey, ParleyError } from "./client.js";
import { outcomeText, waitText } from "./reply_status.js";
import { client } from "./server.js";
import * as sessions from "./sessions.js";
import { askForTitle } from "./titles.js";

const EVENT_TIMEOUT = 5_000; // ms from a response to its event; then the connection counts as dead

export class Chat {
  offlineMessage = ""; // why there is no connection
  needsSignIn = false; // whether the connection needs a sign-in at a proxy
  endMessage = ""; // why the session has ended
  unannounced = new Set(); // ids of replies whose outcome is not announced yet
  announcedWaits = new Set(); // wait reasons of active replies that were announced

  // page: changed(), announce(text), renamed()
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
      const hasExpired = this.expires_at && this.expires_at < client.now;
      this.onEnd(hasExpired ? "This chat has expired." : "This chat no longer exists.");
    }
  }

  onConnect() {
    if (!this.offlineMessage) return;
    this.offlineMessage = "";
    this.needsSignIn = false;
    void this.flush();
  }

  onDisconnect(error) {
    this.offlineMessage = error?.status ? error.message : "Connection lost.";
    this.needsSignIn = error?.code === "redirected";
    if (this.needsSignIn) this.offlineMessage = "You need to sign in again. Reload the page.";
    this.changed();
  }

  onUpdate(update) {
    if (update.type === "session.expired") return this.onEnd("This chat has expired.");
    if (update.type === "session.deleted") return this.onEnd("This chat was deleted.");
    if (update.messages && update.seq < this.conversation.seq) this.onRollback(update.seq);
    const messages = update.messages ?? (update.message ? [update.message] : []);
    messages.filter(({ seq }) => seq > this.conversation.seq).forEach((each) => this.matchPosted(each));
    this.conversation.apply(update);
    this.updateEntry(update);
    for (const { id } of this.conversation.activeReplies) this.unannounced.add(id);
    this.announceOutcomes();
    this.changed();
  }

  // Update the list of chats.
  updateEntry({ type, created_at: createdAt, last_active_at: activeAt, expires_at: expiresAt }) {
    if (type === "message.delta" || type === "message.reasoning") return;
    if (expiresAt) this.ttl = expiresAt - activeAt;
    const at = activeAt ?? (type === "message.queued" ? createdAt : this.at);
    const isBusy = this.conversation.activeReplies.length > 0;
    const changes = { at, isBusy, isUnread: false };
    if (this.ttl && at) changes.expires_at = expiresAt ?? at + this.ttl;
    this.at = at;
    if (sessions.update(this.id, changes)) this.renamed();
    if (!isBusy && this.needsTitle) void this.chooseTitle();
  }

  // Redis has returned to an earlier state, such as a backup. What was accepted since then is lost.
  onRollback(seq) {
    this.conversation.isStale = true;
    for (const entry of this.outbox) if (entry.seq > seq) this.markLost(entry);
  }

  markLost(entry) {
    delete entry.seq;
    entry.error = new ParleyError("lost", "The server has lost this message.");
    sessions.addToOutbox(this.id, entry);
    this.changed();
  }

  // Let the model choose the name after the first reply, unless the user has chosen one.
  async chooseTitle() {
    const [message, reply] = this.conversation.ordered;
    if (!reply?.content || reply.status !== "completed") return;
    this.needsTitle = false;
    sessions.update(this.id, { needsTitle: false });
    const { name, model } = this.conversation.session;
    try {
      const title = await askForTitle(model, message.content, reply.content);
      if (title && this.conversation.session.name === name) await this.update({ name: title });
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error; // the first words remain the title
    }
  }

  onEnd(reason) {
    this.connection.close();
    const { size } = this.conversation.messages;
    const rest = size ? "You can still read its messages." : "Its messages are no longer available.";
    this.endMessage = `${reason} ${rest}`;
    sessions.update(this.id, { isBusy: false, isUnread: false });
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

  // replaces: id of the message that this one is an edited version of; files: of the parts, as attachments
  send(content, { replaces, parts, files } = {}) {
    const entry = { key: newKey(), content, replaces, parts, files };
    sessions.addToOutbox(this.id, entry);
    this.outbox.push(entry);
    void this.flush();
  }

  resend(key) {
    delete this.outbox.find((entry) => entry.key === key).error;
    void this.flush();
  }

  // Remove an unsent message and return it.
  discard(key) {
    const entry = this.outbox.find((entry) => entry.key === key);
    sessions.removeFromOutbox(this.id, key);
    this.outbox = this.outbox.filter((each) => each !== entry);
    this.changed();
    return entry;
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
        const { key, content, parts, replaces } = entry;
        const { seq, id } = await this.watch(this.session.send(parts ?? content, { key, replaces }).accepted);
        entry.seq = seq;
        setTimeout((accepted) => this.checkArrival(accepted, id), 2 * EVENT_TIMEOUT, entry);
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

  // A message that was accepted but never arrives may have been lost by the server.
  async checkArrival(entry, replyId) {
    if (this.isClosed || !(entry.seq > this.conversation.seq)) return;
    await this.session.message(replyId).catch((error) => {
      if (error.code === "message_not_found" && entry.seq > this.conversation.seq) this.markLost(entry);
    });
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

  continueReply = () => this.watch(this.session.continue().accepted);
  rate = (id, rating, comment) => this.watch(this.session.rate(id, rating, comment));

  async cancel() {
    const [reply] = this.conversation.activeReplies;
    if (reply) await this.watch(this.session.cancel(reply.id));
  }

  // Cancel the queued replies first, so that none of them starts.
  async cancelAll() {
    for (const { id } of this.conversation.activeReplies.reverse()) await this.watch(this.session.cancel(id));
  }

  loadOlder() {
    this.loading ??= this.fetchOlder().finally(() => (this.loading = null));
    return this.loading;
  }

  async fetchOlder() {
    if (!this.conversation.hasOlder) return;
    const { id } = this.conversation.ordered[0];
    const page = await this.session.messages({ before: id, order: "desc", limit: 100 });
    this.conversation.addOlder(id, page);
    this.changed();
  }
}
