// The state of one session: its fields and messages. Only events and snapshots change it; responses
// to calls do not, because they may arrive late.

const ACTIVE_STATUSES = new Set(["queued", "in_progress"]);
export const isActive = ({ status }) => ACTIVE_STATUSES.has(status);
const numberOf = ({ id }) => Number(id.slice("msg_".length));
const inOrder = (messages) => messages.sort((one, other) => numberOf(one) - numberOf(other));

export class Conversation {
  messages = new Map();
  seq = 0; // the cursor
  hasOlder = false;
  isStale = true; // whether a snapshot is needed

  // session: the known fields
  constructor({ name }) {
    this.session = { name };
  }

  // Apply a snapshot with the newest messages. Keep older messages if they are of the same history.
  applySnapshot({ messages, has_more, ...session }) {
    if (session.seq < this.seq || !messages.some(({ id }) => this.messages.has(id))) {
      this.clear();
      this.hasOlder = has_more;
    }
    this.isStale = false;
    this.merge({ messages, ...session });
  }

  // Apply a snapshot with the changed messages only. New or deleted messages require a full snapshot.
  applyChanges(session) {
    const { seq, messages } = session;
    const isUnknown = !messages.length || messages.some(({ id }) => !this.messages.has(id));
    this.isStale = seq > this.seq && isUnknown;
    if (!this.isStale) this.merge(session);
  }

  merge({ messages, ...session }) {
    this.session = session;
    this.seq = session.seq;
    messages.forEach((message) => this.put(message));
  }

  // Add the page of messages before a message, unless the history was cleared since the request.
  addOlder(id, { data, has_more }) {
    if (!this.messages.has(id)) return;
    this.hasOlder = has_more;
    data.forEach((message) => this.put(message));
  }

  // Apply an event. Repeated events are ignored; a missing event makes the state stale.
  applyEvent(event) {
    if (event.type === "snapshot") return this.applySnapshot(event);
    if (event.type === "gap") return this.handleGap(event);
    if (event.seq <= this.seq) return;
    if ((this.isStale ||= event.seq > this.seq + 1)) return;
    this.seq = event.seq;
    if (event.type === "message.delta") this.appendDelta(event);
    if (event.type === "message.rated") this.rate(event);
    if (event.type === "session.updated") Object.assign(this.session, event.changes);
    if (event.type === "session.reset") this.clear();
    for (const message of [event.message, event.reply]) {
      if (message && !this.isBeforeWindow(message)) this.put(message);
    }
  }

  // A cursor may be too old for the log. It may also be ahead of it, if Redis lost its latest writes.
  // A snapshot follows.
  handleGap({ requested, earliest }) {
    if (earliest <= requested) this.clear();
  }

  // Whether a message is older than those that are loaded. It is loaded together with its neighbours.
  isBeforeWindow(message) {
    return this.hasOlder && !this.messages.has(message.id) && numberOf(message) < this.oldestNumber;
  }

  get oldestNumber() {
    return Math.min(...[...this.messages.values()].map(numberOf));
  }

  put(message) {
    this.messages.set(message.id, message);
  }

  appendDelta({ message_id, delta, seq }) {
    const reply = this.messages.get(message_id);
    if (reply && seq > reply.seq) this.put({ ...reply, seq, content: reply.content + delta });
  }

  // The event has the rating only; a comment stays on the server until a snapshot.
  rate({ message_id, rating, seq }) {
    const reply = this.messages.get(message_id);
    if (reply) this.put({ ...reply, seq, feedback: rating && { rating, comment: "" } });
  }

  clear() {
    this.messages.clear();
    this.hasOlder = false;
  }

  get ordered() {
    return inOrder([...this.messages.values()]);
  }

  // Replies that are queued or in progress, in order.
  get activeReplies() {
    return inOrder([...this.messages.values()].filter(isActive));
  }
}
