// Every call of OpenAI's SDK for Node that Parley supports.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

const client = new OpenAI();

async function collect(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

test("responses: create, retrieve, input items, delete", async () => {
  const response = await client.responses.create({ input: "Say hello.", metadata: { a: "b" } });
  assert.equal(response.status, "completed");
  assert.match(response.output_text, /^You wrote:/);
  const again = await client.responses.retrieve(response.id);
  assert.deepEqual(again.output, response.output);
  const items = await client.responses.inputItems.list(response.id);
  assert.equal(items.data[0].content[0].text, "Say hello.");
  await client.responses.delete(response.id);
  await assert.rejects(client.responses.retrieve(response.id), OpenAI.NotFoundError);
});

test("responses: streams resume anywhere", async () => {
  const { id } = await client.responses.create({ input: "Say hello.", background: true });
  const whole = await collect(await client.responses.retrieve(id, { stream: true }));
  assert.equal(whole.at(-1).type, "response.completed");
  const middle = whole[Math.floor(whole.length / 2)].sequence_number;
  const rest = await collect(
    await client.responses.retrieve(id, { stream: true, starting_after: middle }),
  );
  assert.deepEqual(
    rest,
    whole.filter((event) => event.sequence_number > middle),
  );
  const helper = client.responses.stream({ response_id: id, starting_after: middle });
  const final = await helper.finalResponse();
  assert.equal(final.output_text, whole.at(-1).response.output[0].content[0].text);
});

test("responses: the stream helper, previous_response_id", async () => {
  const first = await client.responses
    .stream({ model: "default", input: "My name is Ann." })
    .finalResponse();
  const second = await client.responses.create({
    input: "What is my name?",
    previous_response_id: first.id,
  });
  assert.match(second.output_text, /Ann/);
});

test("responses: parse sends the format", async () => {
  await assert.rejects(
    client.responses.parse({
      model: "default",
      input: "Say hello.",
      text: { format: { type: "json_schema", name: "x", schema: { type: "object" }, $parse: 1 } },
    }),
    OpenAI.BadRequestError,
  );
});

test("responses: cancel ends the stream with its text", async () => {
  const { id } = await client.responses.create({
    input: "long [[rate=20 tokens=200]]",
    background: true,
  });
  const stream = await client.responses.retrieve(id, { stream: true });
  let cancelled;
  let last;
  for await (const event of stream) {
    if (event.type === "response.output_text.delta") cancelled ??= client.responses.cancel(id);
    last = event;
  }
  assert.equal((await cancelled).status, "cancelled");
  assert.equal(last.type, "response.incomplete");
  assert.equal(last.response.status, "cancelled");
});

test("conversations: all calls", async () => {
  const { id } = await client.conversations.create({
    items: [{ type: "message", role: "user", content: "My name is Ann." }],
  });
  await client.conversations.update(id, { metadata: { topic: "b" } });
  assert.deepEqual((await client.conversations.retrieve(id)).metadata, { topic: "b" });
  const response = await client.responses.create({ input: "What is my name?", conversation: id });
  assert.match(response.output_text, /Ann/);
  const added = await client.conversations.items.create(id, {
    items: [{ type: "message", role: "user", content: "More." }],
  });
  const items = [];
  for await (const item of client.conversations.items.list(id, { limit: 2, order: "asc" })) {
    items.push(item);
  }
  assert.equal(items.length, 4);
  const own = { conversation_id: id };
  assert.deepEqual(await client.conversations.items.retrieve(added.data[0].id, own), items[3]);
  await client.conversations.items.delete(added.data[0].id, own);
  await client.conversations.delete(id);
  await assert.rejects(client.conversations.retrieve(id), OpenAI.NotFoundError);
});

test("models and chat completions", async () => {
  assert.deepEqual((await collect(client.models.list())).map((model) => model.id), ["default"]);
  assert.equal((await client.models.retrieve("default")).id, "default");
  const body = { model: "default", messages: [{ role: "user", content: "Say hello." }] };
  const plain = await client.chat.completions.create(body);
  const chunks = await collect(
    await client.chat.completions.create({
      ...body,
      stream: true,
      stream_options: { include_usage: true },
    }),
  );
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
  assert.equal(text, plain.choices[0].message.content);
  assert.ok(chunks.at(-1).usage.total_tokens > 0);
});

test("errors have the classes of the SDK", async () => {
  await assert.rejects(client.responses.create({ input: "x", tools: [{ type: "web_search" }] }), {
    constructor: OpenAI.BadRequestError,
    code: "unsupported_parameter",
    param: "tools",
  });
  const other = client.withOptions({ apiKey: "pk_unknown" });
  await assert.rejects(other.models.list(), OpenAI.AuthenticationError);
});
