"""Chunks of a response's stream, from the events of its turn.

| event | chunks |
|---|---|
| `message.queued` | `response.created`, `response.queued` |
| `message.started` | `response.in_progress`, the first time |
| the first `message.reasoning` or `message.delta`, and the first after the other | the end of \
the item before, `response.output_item.added`, `response.content_part.added`, and the next |
| `message.reasoning` | `response.reasoning_text.delta` |
| `message.delta` | `response.output_text.delta` |
| `message.restarted` after one of these | `response.output_item.done` with status `incomplete`; \
the next attempt has the next `output_index` |
| the end of the turn | the end of the open item: `response.output_text.done` or \
`response.reasoning_text.done`, `response.content_part.done`, `response.output_item.done`; and the \
next |
| `message.completed` | `response.completed` |
| `message.incomplete`, `message.cancelled` | `response.incomplete` |
| `message.failed`, `message.expired` | `response.failed` |

`sequence_number` is (seq of the event - seq of `message.queued`) x 16 + number of the chunk. It is
the same in every process, so a client may continue anywhere.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from chat.domain import Status
from chat.openai_api import items
from chat.openai_api.response_object import to_response
from chat.protocols.log_events import LogEvent

# Chunks of one event have numbers below this.
CHUNKS_PER_EVENT = 16
DELTAS = {
    kind: b'event: %b.delta\ndata: {"type":"%b.delta","item_id":"%%b","output_index":%%d,'
    b'"content_index":0,%b' % (name, name, members)
    for kind, name, members in (
        (items.TEXT, b"response.output_text", b'"logprobs":[],'),
        (items.REASONING, b"response.reasoning_text", b""),
    )
}
# Kind of an event -> of the item that it is about.
KINDS = {b"delta": items.TEXT, b"reasoning": items.REASONING}
# What a reply is at first, whatever it is when its stream is requested.
QUEUED = {
    "status": Status.QUEUED.value,
    "content": "",
    "model": None,
    "completed_at": None,
    "finish_reason": None,
    "usage": None,
    "error": None,
}
LAST_CHUNKS = {"completed": "response.completed", "failed": "response.failed"}


class ResponseEvents:
    """Translates the events of one turn, from its first one on.

    starting_after: chunks up to this sequence number are left out.
    """

    def __init__(
        self,
        session_id: str,
        reply: Mapping[str, Any],
        params: Mapping[str, Any],
        *,
        starting_after: int = -1,
    ) -> None:
        self._session_id = session_id
        self._reply = {**reply, **QUEUED}
        self._params = params
        self._starting_after = starting_after
        self._first_seq: int = 0
        # Number of the event's first chunk, and chunks of the event so far.
        self._base = 0
        self._count = 0
        self._has_started = False
        self._output_index = 0
        # Kind and id of the open item; "" for none.
        self._kind = self._item_id = ""
        self._delta_start = b""
        # The text of the open item, as insides of JSON strings.
        self._deltas: list[bytes] = []
        self._attempt = 1
        # Of this attempt: items that are done, and the items so far by kind.
        self._output: list[dict[str, Any]] = []
        self._counts = dict.fromkeys(items.ITEM_TYPES, 0)
        self.is_finished = False

    def translate(self, event: LogEvent) -> bytes:
        """Return the chunks of an event of the turn."""
        if event.kind == b"queued":
            self._first_seq = event.seq
        self._base = (event.seq - self._first_seq) * CHUNKS_PER_EVENT
        self._count = 0
        if event.kind in KINDS:
            chunks = self._open_item(KINDS[event.kind]) + self._delta(event.delta)
        elif event.kind == b"queued":
            chunks = self._snapshot("response.created") + self._snapshot("response.queued")
        elif event.kind == b"started":
            chunks = self._start(event.decode()["message"])
        elif event.kind == b"restarted":
            chunks = self._restart()
        elif event.is_terminal:
            chunks = self._finish(event.decode()["message"])
        else:
            chunks = b""
        return chunks

    def _delta(self, text: bytes) -> bytes:
        self._deltas.append(text)
        number = self._next_number()
        if number <= self._starting_after:
            return b""
        return b'%b"sequence_number":%d,"delta":"%b"}\n\n' % (self._delta_start, number, text)

    def _start(self, reply: Mapping[str, Any]) -> bytes:
        self._attempt = reply["attempt"]
        self._reply = {**reply, "content": ""}
        if self._has_started:
            return b""
        self._has_started = True
        return self._snapshot("response.in_progress")

    def _restart(self) -> bytes:
        if not self._item_id:
            return b""
        chunk = self._done("incomplete")
        self._output, self._counts = [], dict.fromkeys(items.ITEM_TYPES, 0)
        return chunk

    def _finish(self, reply: Mapping[str, Any]) -> bytes:
        self.is_finished = True
        response = to_response(self._session_id, reply, self._params)
        chunks = self._close_item(items.item_status(reply["status"]))
        last = LAST_CHUNKS.get(response["status"], "response.incomplete")
        return chunks + self._chunk(last, response={**response, "output": self._output})

    def _open_item(self, kind: str) -> bytes:
        if self._kind == kind:
            return b""
        chunks = self._close_item("completed")
        self._kind = kind
        self._item_id = items.output_id(
            self._session_id, self._reply["id"], kind, self._attempt, self._counts
        )
        self._delta_start = DELTAS[kind] % (self._item_id.encode(), self._output_index)
        item = items.output_item(kind, self._item_id, "in_progress", [])
        return (
            chunks
            + self._chunk("response.output_item.added", output_index=self._output_index, item=item)
            + self._chunk("response.content_part.added", **self._place(), part=items.part(kind, ""))
        )

    def _close_item(self, status: str) -> bytes:
        if not self._item_id:
            return b""
        part = items.part(self._kind, self._text())
        if self._kind == items.TEXT:
            ended = self._chunk(
                "response.output_text.done", **self._place(), text=part["text"], logprobs=[]
            )
        else:
            ended = self._chunk("response.reasoning_text.done", **self._place(), text=part["text"])
        ended += self._chunk("response.content_part.done", **self._place(), part=part)
        return ended + self._done(status)

    def _done(self, status: str) -> bytes:
        """End the open item."""
        item = items.output_item(self._kind, self._item_id, status, [self._text()])
        chunk = self._chunk("response.output_item.done", output_index=self._output_index, item=item)
        self._output.append(item)
        self._output_index += 1
        self._kind = self._item_id = ""
        self._deltas = []
        return chunk

    def _text(self) -> str:
        text: str = orjson.loads(b'"%b"' % b"".join(self._deltas))
        return text

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._item_id, "output_index": self._output_index, "content_index": 0}

    def _snapshot(self, kind: str) -> bytes:
        response = to_response(self._session_id, self._reply, self._params)
        return self._chunk(kind, response=response)

    def _chunk(self, kind: str, **members: Any) -> bytes:
        number = self._next_number()
        if number <= self._starting_after:
            return b""
        body = orjson.dumps({"type": kind, "sequence_number": number, **members})
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), body)

    def _next_number(self) -> int:
        number = self._base + self._count
        self._count += 1
        return number
