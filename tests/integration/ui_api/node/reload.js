// Start a reply in each chat, leave it, and resume it after a line of input, as a reload does.
// Arguments: version, id and token of each chat. Prints "started", then the messages as JSON.
import { createInterface } from "node:readline/promises";
import { load, loadSDK, textOf, until } from "./chats.js";

const [text, ...chats] = process.argv.slice(2).map((each) => JSON.parse(each));

async function leave({ version, id, headers }) {
  const { Chat } = await loadSDK(version);
  const chat = new Chat(id, [], { headers });
  const sending = chat.sendMessage({ text });
  await until(() => chat.lastMessage?.role === "assistant" && textOf(chat.lastMessage));
  await chat.stop();
  await sending;
  return new Chat(id, await load(id, headers), { headers });
}

const pages = await Promise.all(chats.map(leave));
console.log("started");
await createInterface({ input: process.stdin }).question("");
await Promise.all(pages.map((page) => page.resumeStream()));
console.log(JSON.stringify(pages.map((page) => page.messages)));
process.exit();
