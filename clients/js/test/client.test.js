// The client against a real server.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { APIConnectionError, APIStatusError, Client, ReplyFailed } from "../dist/index.js";
import { startServer } from "./server.js";

let server;
let client;
before(async () => {
  server = await startServer();
  client = new Client(server.url);
});
after(() => server.stop());

const SLOW = "[[rate=40 tokens=40]]";

// A client whose requests go through a function, which receives the real `fetch`.
function clientWith(intercept, options = {}) {
  return new Client(server.url, { ...options, fetch: (url, init) => intercept(() => fetch(url, init), new URL(url), init) });
}

async function collect(reply) {
  const deltas = [];
  for await (const delta of reply) deltas.push(delta);
  return deltas;
}

test("reply streams in deltas", async () => {
  const session = await client.open({ name: "Ada" });
  const reply = session.send(`Hello ${SLOW}`);
  let text = "";
  let count = 0;
  for await (const delta of reply) {
    text += delta;
    count += 1;
  }
  assert.ok(count > 3, `${count} deltas`);
  assert.equal(reply.message.status, "completed");
  assert.equal((await session.message(reply.message.id)).content, text);
  assert.equal(await reply.text(), text);
});

test("several iterations of a reply at once get the same text", async () => {
  const session = await client.open();
  const reply = session.send(`Hello ${SLOW}`);
  const [first, second, text] = await Promise.all([collect(reply), collect(reply), reply.text()]);
  assert.equal(first.join(""), text);
  assert.equal(second.join(""), text);
});

test("stream that is cut every few events loses and repeats nothing", async () => {
  let streams = 0;
  // Cuts each event stream within an event, after 1,500 bytes.
  const cut = (body) => {
    let left = 1500;
    return body.pipeThrough(
      new TransformStream({
        transform(chunk, controller) {
          controller.enqueue(chunk.subarray(0, left));
          left -= chunk.length;
          if (left <= 0) controller.error(new TypeError("cut"));
        },
      }),
    );
  };
  const flaky = clientWith(async (send, url) => {
    const response = await send();
    if (!url.pathname.endsWith("/events")) return response;
    streams += 1;
    return new Response(cut(response.body), { headers: response.headers });
  });
  const session = await flaky.open();
  const reply = session.send("Hello [[rate=100 tokens=60]]");
  const text = (await collect(reply)).join("");
  assert.ok(streams > 2, `${streams} streams`);
  assert.equal(text, (await session.message(reply.message.id)).content);
});

test("long polling replaces event streams that the server or a proxy does not support", async () => {
  const paths = [];
  const polling = clientWith(async (send, url) => {
    paths.push(url.pathname.split("/").at(-1) + url.search);
    return url.pathname.endsWith("/events") ? new Response("{}", { status: 404 }) : send();
  });
  const session = await polling.open();
  const reply = session.send(`Hello ${SLOW}`);
  const deltas = await collect(reply);
  assert.ok(deltas.length > 1);
  assert.equal(deltas.join(""), (await session.message(reply.message.id)).content);
  assert.ok(paths.some((path) => path.includes("wait=25")));
  const plain = new Client(server.url, { stream: false });
  assert.equal(await plain.session(session.token).reply(reply.message.id).text(), deltas.join(""));
});

test("message whose response is lost is posted once", async () => {
  let posts = 0;
  const flaky = clientWith(async (send, url) => {
    const response = await send();
    if (url.pathname.endsWith("/messages") && (posts += 1) === 1) throw new TypeError("lost");
    return response;
  });
  const session = await flaky.open();
  await session.send("Once").text();
  assert.equal(posts, 2);
  assert.equal((await session.messages()).data.length, 2);
});

test("Retry-After is respected, and an error beyond the retry timeout is thrown", async () => {
  const busy = (seconds) => new Response("{}", { status: 503, headers: { "Retry-After": seconds } });
  let calls = 0;
  const retried = clientWith(async (send) => ((calls += 1) === 1 ? busy("1") : send()));
  const start = performance.now();
  await retried.models();
  assert.ok(performance.now() - start >= 990);
  const rejected = clientWith(async () => busy("60"));
  await assert.rejects(rejected.models(), { status: 503, retryAfter: 60, code: "http_503" });
});

test("files are uploaded, sent and downloaded", async () => {
  const session = await client.open();
  const content = new Blob([new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10])]);
  const { id, media_type: type, filename } = await session.upload(content, "cat.png");
  assert.deepEqual([type, filename], ["image/png", "cat.png"]);
  const downloaded = await session.download(id);
  assert.deepEqual(await downloaded.arrayBuffer(), await content.arrayBuffer());
  const parts = [{ type: "text", text: "What is this?" }, { type: "file", file_id: id }];
  await assert.rejects(session.send(parts).accepted, { code: "unsupported_content" }); // the model reads no files
});

test("errors have the code of the API", async () => {
  const session = await client.open();
  await assert.rejects(session.send(" ").accepted, (error) => {
    assert.ok(error instanceof APIStatusError);
    assert.deepEqual([error.code, error.status, error.param], ["invalid_request", 400, "content"]);
    assert.match(error.requestId, /^req_/);
    return true;
  });
  await session.delete();
  await session.delete();
  await assert.rejects(session.refresh(), { isGone: true });
  await assert.rejects(async () => client.attach("nonsense"), { code: "invalid_token" });
  assert.notEqual((await client.attachOrOpen(session.token)).id, session.id);
  const unreachable = new Client("http://127.0.0.1:9", { retryTimeout: 0.3 });
  await assert.rejects(unreachable.open(), APIConnectionError);
});

test("turn without a reply throws", async () => {
  const session = await client.open();
  const reply = session.send("[[fault:400]]");
  await assert.rejects(reply.text(), (error) => error instanceof ReplyFailed && error.code === "model_bad_request");
  assert.equal(reply.message.status, "failed");
});

test("reply that ended at its maximum length can be continued", async () => {
  const session = await client.open();
  const reply = session.send("Hello [[tokens=40]]", { options: { max_tokens: 5 } });
  await reply.text();
  assert.equal(reply.message.finish_reason, "length");
  const rest = session.continue();
  await rest.text();
  assert.notEqual(rest.message.id, reply.message.id);
});

test("cancel, regenerate and feedback", async () => {
  const session = await client.open();
  const reply = session.send("Hello [[rate=20 tokens=200]]");
  for await (const _ of reply) {
    await reply.cancel();
    break;
  }
  await reply.text();
  assert.equal(reply.message.status, "cancelled");
  assert.deepEqual((await session.rate(reply.message.id, "down", "Too long")).feedback, { rating: "down", comment: "Too long" });
  assert.equal((await session.rate(reply.message.id, null)).feedback, null);
  const again = session.regenerate(reply.message.id);
  assert.deepEqual((await session.activeReplies()).length <= 1, true);
  await again.cancel();
  await again.text();
  assert.equal(again.message.reply_to, reply.message.reply_to);
});

test("session settings, history, reset and token", async () => {
  const session = await client.open({ name: "Ada", metadata: { shop: 7 } });
  for (const text of ["one", "two"]) await session.send(text).text();
  const contents = [];
  for await (const { role, content } of session.history({ newestFirst: true })) if (role === "user") contents.push(content);
  assert.deepEqual(contents, ["two", "one"]);
  assert.equal((await session.update({ system_prompt: "Be brief." })).system_prompt, "Be brief.");
  const { token } = session;
  assert.notEqual(await session.rotateToken(), token);
  await assert.rejects(client.attach(token), { isGone: true });
  assert.equal((await client.attach(session.token)).fields.name, "Ada");
  assert.deepEqual((await session.reset()).messages, []);
  assert.ok(Math.abs(client.now - Date.now() / 1000) < 5);
});

test("API key acts for a user", { skip: !process.env.PARLEY_API_KEY && Boolean(process.env.PARLEY_URL) }, async () => {
  const backend = new Client(server.url, { token: server.key, user: "ada" });
  const session = await backend.open({ name: "Shipping" });
  await backend.open({ name: "Returns" });
  const names = [];
  for await (const { name } of backend.sessions()) names.push(name);
  assert.deepEqual(names.toSorted(), ["Returns", "Shipping"]);
  for await (const { id } of backend.sessions({ search: "ship" })) assert.equal(id, session.id);
  assert.equal((await backend.attach(session.id)).fields.name, "Shipping");
  assert.ok(await backend.session(session.id).send("Hello").text());
  const other = new Client(server.url, { token: server.key, user: "bob" });
  await assert.rejects(other.attach(session.id), { code: "session_not_found" });
  await backend.deleteUser("ada");
  await assert.rejects(client.attach(session.token), { isGone: true });
});

test("session with the same key is opened once", async () => {
  const key = "0123456789abcdef0123456789abcdef";
  const [first, second] = [await client.open({}, { key }), await client.open({}, { key })];
  assert.equal(first.token, second.token);
});

test("subscription starts with a snapshot and reports the end of the session", async () => {
  const session = await client.open();
  const types = [];
  await assert.rejects(
    async () => {
      for await (const { type } of session.subscribe()) {
        types.push(type);
        if (type === "snapshot") await session.update({ name: "New name" });
        if (type === "session.updated") await session.delete();
      }
    },
    { isGone: true },
  );
  assert.deepEqual(types, ["snapshot", "session.updated", "session.deleted"]);
});

test("paused subscription disconnects, and continues at its cursor", async () => {
  const session = await client.open();
  const subscription = session.subscribe({ after: 0 });
  const seqs = [];
  const done = (async () => {
    for await (const update of subscription) {
      seqs.push(update.seq);
      if (update.type === "message.completed") subscription.close();
    }
  })();
  subscription.pause();
  await session.send("Hello [[tokens=10]]").text();
  assert.deepEqual(seqs, []);
  subscription.resume();
  await done;
  assert.deepEqual(seqs, seqs.map((_, index) => index + 1));
});

test("responses that do not come from Parley are errors that say so", async (context) => {
  const answers = [
    [302, "", "text/html", "redirected", false],
    [401, "<h1>Password?</h1>", "text/html", "http_401", true],
    [200, "<h1>Welcome</h1>", "text/html", "http_200", true],
    [200, "{}", "application/json", "http_200", true],
  ];
  let answer = answers[0];
  const proxy = createServer((_, response) => {
    const [status, body, type] = answer;
    response.writeHead(status, { "Content-Type": type, Location: server.url, Server: "acme" }).end(body);
  }).listen(0, "127.0.0.1");
  context.after(() => (proxy.closeAllConnections(), proxy.close()));
  await new Promise((resolve) => proxy.once("listening", resolve));
  const proxied = new Client(`http://127.0.0.1:${proxy.address().port}`, { retryTimeout: 0 });
  for (answer of answers) {
    const error = await proxied.open().catch((reason) => reason);
    assert.deepEqual([error.code, error.isRetryable, error.isGone], [answer[3], answer[4], false]);
    assert.match(error.message, answer[3] === "redirected" ? /sign in again/ : /not reach Parley: acme answered/);
  }
});
