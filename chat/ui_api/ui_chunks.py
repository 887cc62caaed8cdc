"""Chunks of the AI SDK's UI message stream, from the events of a turn.

| event | chunks |
|---|---|
| `message.queued` | `start` with `messageId` |
| `message.started` | `start-step`, the first time |
| the first `message.reasoning` or `message.delta` of an attempt, and the first after the other \
| the end of the part before; `reasoning-start` or `text-start`, and the next |
| `message.reasoning` | `reasoning-delta` |
| `message.delta` | `text-delta` |
| `message.restarted` after one of these | the end of the part, and `data-parley` with \
`restarted`: the parts before are void. For clients that know it, `reset-step`, which removes them |
| the end of the turn | the end of the part, `finish-step`, and the next |
| `message.completed`, `message.incomplete` | `finish`, `[DONE]` |
| `message.cancelled` | `message-metadata`, `abort`, `[DONE]` |
| `message.failed`, `message.expired`, `message.incomplete` for an error | `message-metadata`, \
`error`, `[DONE]` |
"""

from collections.abc import Mapping
from typing import Any

import orjson

from chat.domain import FinishReason, Status
from chat.protocols.log_events import LogEvent
from chat.ui_api.ui_messages import to_metadata

FINISH_REASONS = {
    FinishReason.STOP.value: "stop",
    FinishReason.LENGTH.value: "length",
    FinishReason.CONTENT_FILTER.value: "content-filter",
}
# Kind of an event -> of the part.
KINDS = {b"delta": "text", b"reasoning": "reasoning"}
NO_REPLY = "There is no reply."
DONE = b"data: [DONE]\n\n"


class UIChunks:
    """Translates the events of one turn, from its first one on.

    can_reset: whether the client knows `reset-step`: version 7 of the SDK, not 5 and 6.
    """

    def __init__(self, reply: Mapping[str, Any], *, can_reset: bool) -> None:
        self._reply_id = reply["id"]
        self._can_reset = can_reset
        self._attempt = 1
        self._has_step = False
        # Kind of the open part; "" for none.
        self._kind = self._part_id = ""
        self._delta_start = b""
        # Parts of this attempt so far.
        self._parts = 0

    def translate(self, event: LogEvent) -> bytes:
        """Return the chunks of an event of the turn; b"" for none."""
        if kind := KINDS.get(event.kind):
            return b'%b%b%b"}\n\n' % (self._open_part(kind), self._delta_start, event.delta)
        if event.kind == b"queued":
            return _chunk("start", messageId=self._reply_id)
        if event.kind == b"started":
            self._attempt = event.decode()["message"]["attempt"]
            return self._open_step()
        if event.kind == b"restarted":
            return self._restart()
        if event.is_terminal:
            return self._finish(event.decode()["message"])
        return b""

    def _open_step(self) -> bytes:
        if self._has_step:
            return b""
        self._has_step = True
        return _chunk("start-step")

    def _open_part(self, kind: str) -> bytes:
        if self._kind == kind:
            return b""
        end = self._close_part()
        more = f"-{self._parts}" if self._parts else ""
        self._kind, self._part_id = kind, f"{kind}-{self._attempt}{more}"
        self._parts += 1
        self._delta_start = b'data: {"type":"%b-delta","id":"%b","delta":"' % (
            kind.encode(),
            self._part_id.encode(),
        )
        return end + _chunk(f"{kind}-start", id=self._part_id)

    def _close_part(self) -> bytes:
        if not self._kind:
            return b""
        kind, self._kind = self._kind, ""
        return _chunk(f"{kind}-end", id=self._part_id)

    def _restart(self) -> bytes:
        end = self._close_part()
        if not end:
            return b""
        self._parts = 0
        if self._can_reset:
            return _chunk("reset-step")
        part_id = f"restarted-{self._attempt}"
        return end + _chunk("data-parley", id=part_id, data={"restarted": True})

    def _finish(self, reply: Mapping[str, Any]) -> bytes:
        head = self._close_part() + (_chunk("finish-step") if self._has_step else b"")
        metadata = to_metadata(reply)
        if reason := FINISH_REASONS.get(reply["finish_reason"]):
            return head + _chunk("finish", finishReason=reason, messageMetadata=metadata) + DONE
        head += _chunk("message-metadata", messageMetadata=metadata)
        if reply["status"] == Status.CANCELLED:
            return head + _chunk("abort") + DONE
        return head + error_chunks((reply["error"] or {}).get("message", NO_REPLY))


def error_chunks(text: str) -> bytes:
    """Return the last chunks of a stream that ends with an error."""
    return _chunk("error", errorText=text) + DONE


def _chunk(kind: str, **members: Any) -> bytes:
    return b"data: %b\n\n" % orjson.dumps({"type": kind, **members})
