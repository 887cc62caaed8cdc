// Start a response in the background, and follow it: also after an interruption.
//
//   OPENAI_API_KEY=pk_... OPENAI_BASE_URL=http://127.0.0.1:8000/v1 node openai_background.mjs
//   ... node openai_background.mjs resp_...    continues with that response
import OpenAI from "openai";

const client = new OpenAI();
const id =
  process.argv[2] ??
  (await client.responses.create({ input: "Write a long text about the sea.", background: true })).id;
console.log(id);
const stream = await client.responses.retrieve(id, { stream: true });
for await (const event of stream) {
  if (event.type === "response.output_text.delta") process.stdout.write(event.delta);
}
console.log();
