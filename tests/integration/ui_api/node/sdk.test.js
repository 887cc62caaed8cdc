// `useChat` without React: DefaultChatTransport and AbstractChat, in each version of the AI SDK.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { VERSIONS, load, loadSDK, request, textOf, until } from "./chats.js";

const PNG = "data:image/png;base64,iVBORw0KGgo=";
const SLOW = "long [[rate=20 tokens=200]]";

for (const version of VERSIONS) {
  const { Chat } = await loadSDK(version);
  const name = (text) => `v${version}: ${text}`;

  test(name("a message gets a reply, and a reload shows both"), async () => {
    const id = randomUUID();
    const chat = new Chat(id);
    await chat.sendMessage({ text: "Say hello." });
    assert.equal(chat.status, "ready");
    assert.match(textOf(chat.lastMessage), /^You wrote:/);
    assert.equal(chat.lastMessage.metadata.status, "completed");
    assert.ok(chat.lastMessage.metadata.usage.total_tokens > 0);
    const [question, reply] = await load(id);
    assert.equal(textOf(question), "Say hello.");
    assert.equal(reply.id, chat.lastMessage.id);
    assert.equal(textOf(reply), textOf(chat.lastMessage));
    await chat.sendMessage({ text: "And again. [[history]]" });
    assert.match(textOf(chat.lastMessage), /Say hello/);
  });

  test(name("a reload during a reply resumes it from its start"), async () => {
    const id = randomUUID();
    const first = new Chat(id);
    const sending = first.sendMessage({ text: "long [[rate=60 tokens=60]]" });
    await until(() => first.lastMessage?.role === "assistant" && textOf(first.lastMessage));
    await first.stop(); // disconnects only
    await sending;
    const stopped = textOf(first.lastMessage);
    const second = new Chat(id, await load(id));
    assert.equal(second.messages.length, 1);
    await second.resumeStream();
    assert.equal(second.messages.length, 2);
    assert.ok(textOf(second.lastMessage).length > stopped.length);
    assert.equal(second.lastMessage.metadata.status, "completed");
    assert.deepEqual((await load(id)).map(textOf), second.messages.map(textOf));
    await second.resumeStream(); // nothing is open
    assert.equal(second.status, "ready");
    assert.equal(second.messages.length, 2);
  });

  test(name("reasoning is a part of its own"), async () => {
    const chat = new Chat(randomUUID());
    await chat.sendMessage({ text: "Say hello. [[reasoning]]" });
    const parts = chat.lastMessage.parts.filter((part) => part.type !== "step-start");
    assert.deepEqual(parts.map((part) => part.type), ["reasoning", "text"]);
    const stored = (await load(chat.id))[1].parts;
    assert.deepEqual(parts.map(({ type, text }) => ({ type, text })), stored);
  });

  test(name("an image is sent, and kept by an edit after a reload"), async () => {
    const files = [{ type: "file", mediaType: "image/png", filename: "cat.png", url: PNG }];
    const first = new Chat(randomUUID());
    await first.sendMessage({ text: "Look", files });
    assert.equal(first.lastMessage.metadata.status, "completed");
    const [message] = await load(first.id);
    const [image] = message.parts.filter((part) => part.type === "file");
    assert.equal(image.filename, "cat.png");
    const second = new Chat(first.id, await load(first.id));
    await second.sendMessage({ text: "And now?", files: [image], messageId: message.id });
    const [edited] = await load(first.id);
    assert.deepEqual([textOf(edited), edited.parts.filter((part) => part.type === "file")], ["And now?", [image]]);
  });

  test(name("the path /stop stops the model"), async () => {
    const id = randomUUID();
    const chat = new Chat(id);
    const sending = chat.sendMessage({ text: SLOW });
    await until(() => chat.lastMessage?.role === "assistant" && textOf(chat.lastMessage));
    const response = await request("POST", `${id}/stop`);
    assert.deepEqual((await response.json()).stopped, [chat.lastMessage.id]);
    await sending;
    assert.equal(chat.status, "ready");
    assert.equal(chat.lastMessage.metadata.status, "cancelled");
    assert.equal(textOf((await load(id))[1]), textOf(chat.lastMessage));
    assert.deepEqual(await (await request("POST", `${id}/stop`)).json(), { stopped: [] });
  });

  test(name("a repeated message joins its reply"), async () => {
    const id = randomUUID();
    const message = { id: randomUUID(), role: "user", parts: [{ type: "text", text: "Hello" }] };
    const chats = [new Chat(id), new Chat(id)];
    await Promise.all(chats.map((chat) => chat.sendMessage(message)));
    await chats[0].sendMessage(); // the last message again: that is the reply
    assert.equal(chats[0].status, "error");
    const later = new Chat(id, [message]);
    await later.sendMessage();
    for (const chat of [chats[1], later]) {
      assert.equal(chat.lastMessage.id, "msg_2");
      assert.match(textOf(chat.lastMessage), /^You wrote:/);
    }
    assert.equal((await load(id)).length, 2);
  });

  test(name("regenerate and edit replace the last turn"), async () => {
    const id = randomUUID();
    const chat = new Chat(id);
    await chat.sendMessage({ text: "Say hello." });
    await chat.regenerate();
    assert.equal(chat.lastMessage.id, "msg_4");
    await chat.regenerate({ messageId: "msg_4" });
    assert.deepEqual((await load(id)).map((each) => each.id), ["msg_1", "msg_6"]);
    await chat.sendMessage({ text: "Say goodbye. [[history]]", messageId: chat.messages[0].id });
    assert.match(textOf(chat.lastMessage), /goodbye/);
    assert.doesNotMatch(textOf(chat.lastMessage), /hello/);
    assert.deepEqual((await load(id)).map(textOf), chat.messages.map(textOf));
    await chat.sendMessage({ text: "More." });
    await chat.regenerate({ messageId: chat.messages[0].id });
    assert.match(chat.error.message, /not_regenerable/);
  });

  test(name("retrying a message that never arrived submits it"), async () => {
    const message = { id: randomUUID(), role: "user", parts: [{ type: "text", text: "Hello" }] };
    const chat = new Chat(randomUUID(), [message]);
    await chat.regenerate();
    assert.equal(chat.status, "ready");
    assert.equal(chat.lastMessage.id, "msg_2");
  });

  test(name("errors arrive as errors"), async () => {
    const refused = new Chat(randomUUID(), [], { headers: { Authorization: "Bearer pk_x" } });
    await refused.sendMessage({ text: "Hello" });
    assert.equal(JSON.parse(refused.error.message).error.code, "invalid_token");
    const failing = new Chat(randomUUID());
    await failing.sendMessage({ text: "Hello [[fault:400]]" });
    assert.equal(failing.status, "error");
    assert.equal(failing.lastMessage.metadata.error.message, failing.error.message);
    assert.equal(failing.lastMessage.metadata.status, "failed");
  });
}
