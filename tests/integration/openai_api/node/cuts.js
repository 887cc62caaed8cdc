// Ask a number of times; print a line before each request, whose connection is then cut once.
import assert from "node:assert/strict";
import OpenAI from "openai";

const [kind, marker, times] = process.argv.slice(2);
const client = new OpenAI({ maxRetries: 5 });

async function ask(text) {
  if (kind === "responses") return (await client.responses.create({ input: text })).output_text;
  const messages = [{ role: "user", content: text }];
  const completion = await client.chat.completions.create({ model: "default", messages });
  return completion.choices[0].message.content;
}

for (let i = 0; i < Number(times); i++) {
  console.log(i);
  const answer = await ask(`${marker} number ${i}. [[rate=400]]`);
  assert.ok(answer.includes(`number ${i}.`));
}
