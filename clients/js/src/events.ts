// The events of a session's log, as docs/events.md describes them.

import type { Message, Session } from "./schema.js";

/** Members of every event. */
export interface EventBase {
  /** The event's number in the session: 1, 2, 3, ... without gaps. */
  seq: number;
  session_id: string;
  /** Seconds since the epoch, UTC. */
  created_at: number;
}

/** A message was posted, or a reply was requested again. */
export interface MessageQueued extends EventBase {
  type: "message.queued";
  message_id: string;
  /** The user's message, if it is new. */
  message?: Message;
  reply: Message;
}

/** The state of a reply has changed. */
export interface MessageChanged extends EventBase {
  type:
    | "message.started"
    | "message.restarted"
    | "message.completed"
    | "message.incomplete"
    | "message.failed"
    | "message.cancelled"
    | "message.expired";
  message_id: string;
  message: Message;
}

/** The model sent more text. */
export interface MessageDelta extends EventBase {
  type: "message.delta";
  message_id: string;
  delta: string;
}

/** The model sent more of its reasoning. */
export interface MessageReasoning extends EventBase {
  type: "message.reasoning";
  message_id: string;
  delta: string;
}

/** Feedback was added or removed. */
export interface MessageRated extends EventBase {
  type: "message.rated";
  message_id: string;
  rating: "up" | "down" | null;
}

/** Fields or the token of the session were changed. */
export interface SessionUpdated extends EventBase {
  type: "session.updated";
  changes: Partial<Session>;
}

/** The history was cleared, or the session has ended. */
export interface SessionChanged extends EventBase {
  type: "session.reset" | "session.expired" | "session.deleted";
}

/** The events after the cursor are no longer stored. A snapshot follows. */
export interface Gap {
  type: "gap";
  session_id: string;
  created_at: number;
  requested: number;
  earliest: number;
  latest: number;
}

/** The session with its newest messages. It replaces all events up to its `seq`. */
export interface Snapshot extends Session {
  type: "snapshot";
}

/** The session with the messages that have changed since the last update: the result of a poll. */
export interface Changes extends Session {
  type: "changes";
}

export type SessionEvent =
  | MessageQueued
  | MessageChanged
  | MessageDelta
  | MessageReasoning
  | MessageRated
  | SessionUpdated
  | SessionChanged
  | Gap
  | Snapshot;

/** What a subscription yields: events, or the results of polls. */
export type Update = SessionEvent | Changes;
