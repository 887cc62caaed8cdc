import assert from "node:assert/strict";
import test from "node:test";
import { Conversation } from "../dist/index.js";

const messages = (...numbers) => numbers.map((number) => ({ id: `msg_${number}`, seq: 1, content: "", status: "completed" }));
const snapshot = (seq, has_more, ...numbers) => ({ type: "snapshot", seq, has_more, messages: messages(...numbers) });
const ids = (state) => state.ordered.map(({ id }) => Number(id.slice(4)));

function loaded(seq, has_more, ...numbers) {
  const state = new Conversation();
  state.apply(snapshot(seq, has_more, ...numbers));
  return state;
}

test("snapshot keeps older messages of the same history", () => {
  const state = loaded(9, true, 5, 6);
  state.addOlder("msg_5", { data: messages(3, 4), has_more: false });
  state.apply(snapshot(20, true, 6, 7));
  assert.deepEqual(ids(state), [3, 4, 5, 6, 7]);
  assert.equal(state.hasOlder, false);
});

test("poll with unknown messages requires a snapshot, which replaces the history", () => {
  const state = loaded(9, true, 5, 6);
  state.apply({ ...snapshot(30, true, 9, 10), type: "changes" });
  assert.equal(state.isStale, true);
  state.apply(snapshot(30, false, 9, 10));
  assert.equal(state.isStale, false);
  state.addOlder("msg_5", { data: messages(1, 2), has_more: true });
  assert.deepEqual(ids(state), [9, 10]);
});

test("gap within the log keeps the messages, a cursor ahead of the log clears them", () => {
  const state = loaded(30, false, 9, 10);
  state.apply({ type: "gap", requested: 30, earliest: 41, latest: 50 });
  state.apply(snapshot(50, true, 10, 11));
  assert.deepEqual(ids(state), [9, 10, 11]);
  state.apply({ type: "gap", requested: 50, earliest: 1, latest: 51 });
  state.apply(snapshot(51, true, 9, 10));
  assert.deepEqual(ids(state), [9, 10]);
  assert.equal(state.hasOlder, true);
});

test("repeated events are ignored, and a missing event makes the state stale", () => {
  const state = loaded(5, false, 1, 2);
  const delta = (seq) => ({ type: "message.delta", seq, message_id: "msg_2", delta: "x" });
  for (const seq of [5, 6, 6, 7]) state.apply(delta(seq));
  assert.equal(state.messages.get("msg_2").content, "xx");
  state.apply(delta(9));
  assert.equal(state.isStale, true);
  assert.equal(state.messages.get("msg_2").content, "xx");
});

test("message before the loaded ones is not added", () => {
  const state = loaded(5, true, 5, 6);
  const [old, next] = messages(2, 7);
  state.apply({ type: "message.rated", seq: 6, message_id: "msg_2", rating: "up" });
  state.apply({ type: "message.cancelled", seq: 7, message_id: "msg_2", message: old });
  state.apply({ type: "message.queued", seq: 8, message_id: "msg_7", reply: next });
  assert.deepEqual(ids(state), [5, 6, 7]);
});

test("reasoning and text are items, and events of the end keep them", () => {
  const state = loaded(5, false, 1, 2);
  state.put({ ...state.messages.get("msg_2"), status: "in_progress", content: "" });
  const apply = (seq, type, members) => state.apply({ type: `message.${type}`, seq, message_id: "msg_2", ...members });
  apply(6, "reasoning", { delta: "Let me " });
  apply(7, "reasoning", { delta: "think." });
  apply(8, "delta", { delta: "Yes" });
  apply(9, "delta", { delta: "." });
  const items = [{ type: "reasoning", text: "Let me think." }, { type: "text", text: "Yes." }];
  assert.equal(state.messages.get("msg_2").content, "Yes.");
  assert.deepEqual(state.messages.get("msg_2").items, items);
  const ended = { ...messages(2)[0], seq: 10, status: "completed", content: "Yes." };
  apply(10, "completed", { message: ended });
  assert.deepEqual(state.messages.get("msg_2").items, items);
  apply(11, "restarted", { message: { ...ended, seq: 11, status: "queued", content: "" } });
  assert.equal(state.messages.get("msg_2").items, undefined);
});
