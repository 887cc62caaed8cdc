"""The OpenAI-compatible API: Parley's turns in the vocabulary of OpenAI's SDKs.

| module | what it translates |
|---|---|
| `chat_request`, `response_request` | requests to sessions and turns |
| `response_turns` | a response to a turn of a new session, an existing one or a copy |
| `chat_completions`, `responses`, `conversations` | calls of `chat.conversation` |
| `chat_chunks`, `response_events` | events of a session's log to chunks of a stream |
| `response_object`, `items` | stored messages to responses and items |

There is no second store, queue or subscription. `docs/openai.md` says what is supported.
"""
