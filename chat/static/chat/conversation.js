// What the page knows of one session: its fields and messages, kept right by events and snapshots.

export const OPEN = new Set(["queued", "in_progress"]);
export const numberOf = (id) => Number(id.slice("msg_".length));

export class Missed extends Error {}

export class Conversation {
  messages = new Map();
  session = {};
  seq = 0; // the cursor
  hasOlder = false;

  // Take a session with its newest messages in place of all that was known.
  replace(snapshot) {
    this.messages.clear();
    this.hasOlder = snapshot.has_more;
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

  // Take an event, each once and in order. Throws Missed when there is one missing before it.
  apply(event) {
    if (event.type === "snapshot") return this.replace(event);
    if (event.type === "gap" || event.seq <= this.seq) return;
    if (event.seq > this.seq + 1) throw new Missed();
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
    return [...this.messages.values()].sort((one, other) => numberOf(one.id) - numberOf(other.id));
  }

  // The replies that are not over yet, the one that is being written first.
  get open() {
    return this.ordered.filter((message) => OPEN.has(message.status));
  }
}
