"""The API for `useChat` of the AI SDK: its chats are sessions, its messages are Parley's.

| module | what it translates |
|---|---|
| `chat_request` | requests to turns |
| `chats` | ids of chats to sessions, and requests to calls of `chat.conversation` |
| `ui_chunks` | events of a session's log to chunks of a stream |
| `ui_messages` | stored messages to UI messages |

There is no second store, queue or subscription. `docs/ai-sdk.md` says what is supported.
"""
