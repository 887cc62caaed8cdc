// What the page knows of one session: its fields and messages. Events and snapshots alone tell it;
// answers to calls, which may come late, do not.

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

  // Take a session with its newest messages. Those before them stay, if they are of the same history.
  replace({ messages, has_more, ...session }) {
    if (session.seq < this.seq || !messages.some(({ id }) => this.messages.has(id))) {
      this.clear();
      this.hasOlder = has_more;
    }
    this.isBehind = false;
    this.merge({ messages, ...session });
  }

  // Take a session with the messages that have changed. Of what is new, or gone, only a session with
  // all of its newest messages tells.
  follow(session) {
    const { seq, messages } = session;
    const isOther = !messages.length || messages.some(({ id }) => !this.messages.has(id));
    this.isBehind = seq > this.seq && isOther;
    if (!this.isBehind) this.merge(session);
  }

  merge({ messages, ...session }) {
    this.session = session;
    this.seq = session.seq;
    messages.forEach((message) => this.put(message));
  }

  // Take the page of messages before one, unless the history has been cleared meanwhile.
  extend(id, { data, has_more }) {
    if (!this.messages.has(id)) return;
    this.hasOlder = has_more;
    data.forEach((message) => this.put(message));
  }

  // Take an event, each once and in order; it is behind when there is one missing before it.
  apply(event) {
    if (event.type === "snapshot") return this.replace(event);
    if (event.type === "gap") return this.miss(event);
    if (event.seq <= this.seq) return;
    if ((this.isBehind ||= event.seq > this.seq + 1)) return;
    this.seq = event.seq;
    if (event.type === "message.delta") this.grow(event);
    if (event.type === "session.updated") Object.assign(this.session, event.changes);
    if (event.type === "session.reset") this.clear();
    for (const message of [event.message, event.reply]) if (message) this.put(message);
  }

  // What the cursor stands for may be too old to be kept, or be no more: the server's store was set
  // back. A snapshot comes next.
  miss({ requested, earliest }) {
    if (earliest <= requested) this.clear();
  }

  put(message) {
    this.messages.set(message.id, message);
  }

  grow({ message_id, delta, seq }) {
    const reply = this.messages.get(message_id);
    if (reply) this.put({ ...reply, seq, content: reply.content + delta });
  }

  clear() {
    this.messages.clear();
    this.hasOlder = false;
  }

  get ordered() {
    return inOrder([...this.messages.values()]);
  }

  // The replies that are not over yet, the one that is being written first.
  get open() {
    return inOrder([...this.messages.values()].filter(({ status }) => OPEN.has(status)));
  }
}
