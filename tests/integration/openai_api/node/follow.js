// Print the events of a response, from a sequence number on, as lines of JSON.
import OpenAI from "openai";

const [id, after] = process.argv.slice(2);
const query = { stream: true, starting_after: Number(after) };
for await (const event of await new OpenAI().responses.retrieve(id, query)) {
  console.log(JSON.stringify(event));
}
