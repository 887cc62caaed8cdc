// Titles of chats: the first words, or what the model writes after the first reply (CHAT_TITLES=model).

import { client } from "./server.js";

const MAX_WORDS = 50; // characters of the first words
const MAX_QUOTED = 2_000; // characters of message and reply that the model reads
const MAX_TITLE = 80; // characters
const LIFETIME = 300; // seconds of the session, if the page is closed before it is deleted
const INSTRUCTIONS =
  "Write a title of two to six words for the conversation that the user quotes, in its language. " +
  "Answer with the title only.";

// Return the first words of a message.
export function firstWords(content) {
  const line = content.trim().split("\n", 1)[0].replace(/^[#>*\s-]+|[*`]|\b_|_\b/g, "").trim();
  if (line.length <= MAX_WORDS) return line;
  const cut = line.slice(0, MAX_WORDS);
  return `${cut.slice(0, cut.lastIndexOf(" ") > 20 ? cut.lastIndexOf(" ") : MAX_WORDS).trim()}…`;
}

// Return a title, or "" if the model wrote none. The call goes through a session like any other, with
// all limits, which is deleted at the end.
export async function askForTitle(model, message, reply) {
  const session = await client.open({ model, system_prompt: INSTRUCTIONS, ttl: LIFETIME });
  try {
    const quote = `${message.slice(0, MAX_QUOTED)}\n\n---\n\n${reply.slice(0, MAX_QUOTED)}`;
    const text = await session.send(quote, { options: { max_tokens: 40 } }).text();
    const title = text.replace(/<think>[^]*?<\/think>/, "").trim().split("\n", 1)[0];
    return title.replace(/^["“#*\s]+|["”*.\s]+$/g, "").slice(0, MAX_TITLE);
  } finally {
    void session.delete().catch(() => {}); // it expires by itself
  }
}
