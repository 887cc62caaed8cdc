// Ask a number of times; print a line before each request, whose connection is then cut once.
import assert from "node:assert/strict";
import OpenAI from "openai";

const [kind, marker, times] = process.argv.slice(2);
const client = new OpenAI({ maxRetries: 5 });

async function ask(text, options) {
  if (kind === "responses") return (await client.responses.create({ input: text }, options)).output_text;
  const messages = [{ role: "user", content: text }];
  const completion = await client.chat.completions.create({ model: "default", messages }, options);
  return completion.choices[0].message.content;
}

// The SDK does not repeat a request if the connection is lost after the head of the response.
function repeat(text, error) {
  if (error.message !== "terminated") throw error;
  return ask(text, { headers: { "x-stainless-retry-count": "1" } });
}

for (let i = 0; i < Number(times); i++) {
  console.log(i);
  const text = `${marker} number ${i}. [[rate=400]]`;
  const answer = await ask(text).catch((error) => repeat(text, error));
  assert.ok(answer.includes(`number ${i}.`));
}
