import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";
import { useMemo, useState } from "react";
import { createRoot } from "react-dom/client";
import { authorization, forgetSession, openSession } from "./session.js";

function Part({ type, text }) {
  if (type === "text") return <p className="text">{text}</p>;
  if (type !== "reasoning") return null;
  return (
    <details>
      <summary>Reasoning</summary>
      <p className="text">{text}</p>
    </details>
  );
}

function Chat({ id, token, messages: loaded }) {
  const [text, setText] = useState("");
  const transport = useMemo(
    () =>
      new DefaultChatTransport({
        // Version 7 of the SDK can remove the text of a worker that was lost.
        api: "/ui/chat?ui=7",
        headers: authorization(token),
        // The server keeps the history: the last message is enough.
        prepareSendMessagesRequest: ({ id, messages, trigger, messageId, headers }) => ({
          headers,
          body: { id, message: messages.at(-1), trigger, messageId },
        }),
      }),
    [token],
  );
  // `resume` continues the reply that was open when the page was left.
  const chat = useChat({ id, messages: loaded, transport, resume: true });
  const isBusy = chat.status === "submitted" || chat.status === "streaming";

  // `chat.stop()` only disconnects, as a reload does. This ends the reply, and then the stream.
  async function stop() {
    await fetch(`/ui/chat/${id}/stop`, { method: "POST", headers: authorization(token) });
  }

  function send(event) {
    event.preventDefault();
    chat.sendMessage({ text });
    setText("");
  }

  return (
    <main>
      {chat.messages.map((message) => (
        <article key={message.id} className={message.role}>
          {message.parts.map((part, i) => (
            <Part key={i} {...part} />
          ))}
          {message.metadata?.status === "cancelled" && <small>Stopped.</small>}
        </article>
      ))}
      {chat.status === "submitted" && <p>...</p>}
      {chat.error && <p role="alert">{chat.error.message}</p>}
      <form onSubmit={send}>
        <input value={text} onChange={(event) => setText(event.target.value)} aria-label="Message" />
        {isBusy ? (
          <button type="button" onClick={stop}>
            Stop
          </button>
        ) : (
          <button disabled={!text.trim()}>Send</button>
        )}
      </form>
      <p>
        <button disabled={isBusy || !chat.messages.length} onClick={() => chat.regenerate()}>
          Regenerate
        </button>{" "}
        <button
          onClick={() => {
            forgetSession();
            location.reload();
          }}
        >
          New chat
        </button>
      </p>
    </main>
  );
}

const root = createRoot(document.getElementById("root"));
try {
  root.render(<Chat {...await openSession()} />);
} catch (error) {
  root.render(<p role="alert">{error.message}</p>);
}
