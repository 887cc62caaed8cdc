// What the page knows of one session: its fields and messages, kept right by events and snapshots.

export const OPEN = new Set(["queued", "in_progress"]);
const numberOf = ({ id }) => Number(id.slice("msg_".length));
const inOrder = (messages) => messages.sort((one, other) => numberOf(one) - numberOf(other));

export class Conversation {
  messages = new Map();
  seq = 0; // the cursor
  hasOlder = false;
  isBehind = true; // until it has been read as a whole

  // session: what was known of it before
  constructor({ name }) {
    this.session = { name };
  }

  // Take a session with its newest messages in place of all that was known.
  replace(snapshot) {
    this.messages.clear();
    this.hasOlder = snapshot.has_more;
    this.isBehind = false;
    this.merge(snapshot);
  }

  // Take a session with the messages that have changed.
  merge({ messages, ...session }) {
    this.session = session;
    this.seq = session.seq;
    messages.forEach((message) => this.put(message));
  }

  put(message) {
    const known = this.messages.get(message.id);
    if (!known || known.seq <= message.seq) this.messages.set(message.id, message);
  }

  // Take an event, each once and in order; it is behind when there is one missing before it.
  apply(event) {
    if (event.type === "snapshot") return this.replace(event);
    if (event.type === "gap" || event.seq <= this.seq) return;
    if ((this.isBehind ||= event.seq > this.seq + 1)) return;
    this.seq = event.seq;
    if (event.type === "message.delta") this.grow(event);
    if (event.type === "session.updated") Object.assign(this.session, event.changes);
    if (event.type === "session.reset") {
      this.messages.clear();
      this.hasOlder = false;
    }
    for (const message of [event.message, event.reply]) if (message) this.put(message);
  }

  grow({ message_id, delta, seq }) {
    const reply = this.messages.get(message_id);
    if (reply && seq > reply.seq) {
      this.messages.set(message_id, { ...reply, seq, content: reply.content + delta });
    }
  }

  get ordered() {
    return inOrder([...this.messages.values()]);
  }

  // The replies that are not over yet, the one that is being written first.
  get open() {
    return inOrder([...this.messages.values()].filter((message) => OPEN.has(message.status)));
  }
}
