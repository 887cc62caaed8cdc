// Chats of the AI SDK without a user interface, in each version of the SDK.
export const VERSIONS = ["5", "6", "7"];
const url = process.env.PARLEY_URL;
const DEFAULT_HEADERS = { Authorization: `Bearer ${process.env.PARLEY_TOKEN}` };

export async function loadSDK(version) {
  const { AbstractChat, DefaultChatTransport } = await import(`ai-v${version}`);

  class State {
    status = "ready";
    error = undefined;
    constructor(messages) {
      this.messages = messages;
    }
    pushMessage = (message) => void (this.messages = [...this.messages, message]);
    popMessage = () => void (this.messages = this.messages.slice(0, -1));
    replaceMessage = (index, message) => {
      this.messages = this.messages.with(index, structuredClone(message));
    };
    snapshot = (value) => structuredClone(value);
  }

  class Chat extends AbstractChat {
    // options: of the transport.
    constructor(id, messages = [], options = {}) {
      super({
        id,
        transport: new DefaultChatTransport({
          api: `${url}/ui/chat${version === "7" ? "?ui=7" : ""}`,
          headers: DEFAULT_HEADERS,
          ...options,
        }),
        state: new State(messages),
      });
    }
  }
  return { Chat };
}

export async function request(method, path, headers = DEFAULT_HEADERS) {
  return fetch(`${url}/ui/chat/${path}`, { method, headers });
}

export async function load(id, headers) {
  const response = await request("GET", `${id}/messages`, headers);
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

export function textOf(message) {
  return message.parts.map((part) => (part.type === "text" ? part.text : "")).join("");
}

export async function until(condition) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
