"""Chunks of a response's stream, from the events of its turn.

| event | chunks |
|---|---|
| `message.queued` | `response.created`, `response.queued` |
| `message.started` | `response.in_progress`, the first time |
| the first `message.delta` | `response.output_item.added`, `response.content_part.added`, and \
the next |
| `message.delta` | `response.output_text.delta` |
| `message.restarted` after text | `response.output_item.done` with status `incomplete`; the next \
attempt has the next `output_index` |
| the end of the turn, after text | `response.output_text.done`, `response.content_part.done`, \
`response.output_item.done`, and the next |
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
from chat.openai_api import ids
from chat.openai_api.items import output_text
from chat.openai_api.response_object import to_response
from chat.protocols.log_events import LogEvent

# Chunks of one event have numbers below this.
CHUNKS_PER_EVENT = 16
DELTA = (
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta",'
    b'"item_id":"%b","output_index":%d,"content_index":0,"logprobs":[],'
)
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
        # Of the open item; "" for none.
        self._item_id = ""
        self._delta_start = b""
        # The text of the open item, as insides of JSON strings.
        self._deltas: list[bytes] = []
        self._attempt = 1
        self.is_finished = False

    def translate(self, event: LogEvent) -> bytes:
        """Return the chunks of an event of the turn."""
        if event.kind == b"queued":
            self._first_seq = event.seq
        self._base = (event.seq - self._first_seq) * CHUNKS_PER_EVENT
        self._count = 0
        if event.kind == b"delta":
            chunks = self._open_item() + self._delta(event.delta)
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
        chunk = self._item("response.output_item.done", "incomplete", [self._part()])
        self._item_id, self._deltas = "", []
        self._output_index += 1
        return chunk

    def _finish(self, reply: Mapping[str, Any]) -> bytes:
        self.is_finished = True
        response = to_response(self._session_id, reply, self._params)
        last = LAST_CHUNKS.get(response["status"], "response.incomplete")
        return self._close_item(response) + self._chunk(last, response=response)

    def _open_item(self) -> bytes:
        if self._item_id:
            return b""
        self._item_id = ids.item_id(self._session_id, self._reply["id"], self._attempt)
        self._delta_start = DELTA % (self._item_id.encode(), self._output_index)
        return self._item("response.output_item.added", "in_progress", []) + self._chunk(
            "response.content_part.added", **self._place(), part=output_text("")
        )

    def _close_item(self, response: Mapping[str, Any]) -> bytes:
        if not self._item_id:
            return b""
        part = self._part()
        status = response["output"][0]["status"] if response["output"] else "incomplete"
        return (
            self._chunk(
                "response.output_text.done", **self._place(), text=part["text"], logprobs=[]
            )
            + self._chunk("response.content_part.done", **self._place(), part=part)
            + self._item("response.output_item.done", status, [part])
        )

    def _part(self) -> dict[str, Any]:
        return output_text(orjson.loads(b'"%b"' % b"".join(self._deltas)))

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._item_id, "output_index": self._output_index, "content_index": 0}

    def _item(self, kind: str, status: str, content: list[dict[str, Any]]) -> bytes:
        item = {
            "type": "message",
            "id": self._item_id,
            "status": status,
            "role": "assistant",
            "content": content,
        }
        return self._chunk(kind, output_index=self._output_index, item=item)

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
