"""Chat completions and the chunks of their streams, from the events of a turn.

| event | chunks |
|---|---|
| the first of those below | one with `role` |
| `message.reasoning` | one with `reasoning_content` |
| `message.delta` | one with `content` |
| `message.completed`, `message.incomplete`, `message.cancelled` | one with `finish_reason`, one \
with `usage` if it was requested, and `[DONE]` |
| `message.restarted` after text | an error: the text is void, and chunks cannot say so |
| `message.failed`, `message.expired`, `message.incomplete` for an error | an error |
"""

from collections.abc import Mapping
from typing import Any

import orjson

from chat.domain import FinishReason, Status
from chat.openai_api import ids
from chat.openai_api.items import reasoning_in
from chat.protocols.log_events import LogEvent

FINISH_REASONS = {
    FinishReason.STOP.value: "stop",
    FinishReason.LENGTH.value: "length",
    FinishReason.CONTENT_FILTER.value: "content_filter",
    # There is no other word for it.
    FinishReason.CANCELLED.value: "stop",
}
DONE = b"data: [DONE]\n\n"
RESTARTED = {
    "code": "worker_lost",
    "message": "The reply was interrupted after some text. Send the request again.",
}


def to_completion(session_id: str, reply: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return the chat completion of a reply that has not failed."""
    reasoning = {"reasoning_content": text} if (text := reasoning_in(reply)) else {}
    return {
        "id": ids.completion_id(session_id),
        "object": "chat.completion",
        "created": int(reply["created_at"]),
        "model": reply["model"] or model,
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": reply["content"],
                    "refusal": None,
                    "annotations": [],
                    **reasoning,
                },
                "logprobs": None,
                "finish_reason": FINISH_REASONS[reply["finish_reason"]],
            }
        ],
        "usage": to_usage(reply["usage"]),
        "service_tier": "default",
        "system_fingerprint": None,
    }


def to_usage(usage: Mapping[str, Any] | None) -> dict[str, Any]:
    usage = usage or {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return {
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "total_tokens": usage["total_tokens"],
        "prompt_tokens_details": {"cached_tokens": usage.get("cached_tokens", 0)},
        "completion_tokens_details": {"reasoning_tokens": usage.get("reasoning_tokens", 0)},
    }


def failure(reply: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Return code and message of a reply that has failed; `None` for any other."""
    if reply["status"] in {Status.FAILED, Status.EXPIRED} or (
        reply["finish_reason"] not in FINISH_REASONS
    ):
        error: Mapping[str, str] = reply["error"] or {"code": "error", "message": "No reply."}
        return error
    return None


class ChatChunks:
    """Translates the events of one turn."""

    def __init__(self, session_id: str, model: str, created: int, *, has_usage: bool) -> None:
        self._session_id = session_id
        self._model = model
        self._created = created
        self._has_usage = has_usage
        head = self._chunk(b"DELTA").partition(b"DELTA")
        self._start, self._end = head[0] + b'{"content":"', b'"}' + head[2]
        self._reasoning_start = head[0] + b'{"reasoning_content":"'
        # Whether the client has got text.
        self.has_text = False
        self._has_role = False
        self.is_finished = False
        # Code and message, if the turn has failed or cannot be streamed on.
        self.error: Mapping[str, str] | None = None

    def translate(self, event: LogEvent) -> bytes:
        """Return the chunks of an event of the turn; b"" for none."""
        if event.kind == b"delta":
            self.has_text = True
            return self.role() + self._start + event.delta + self._end
        if event.kind == b"reasoning":
            return self.role() + self._reasoning_start + event.delta + self._end
        if event.kind == b"restarted" and self.has_text:
            self.error = RESTARTED
        elif event.is_terminal:
            self.is_finished = True
            reply = event.decode()["message"]
            self.error = failure(reply)
            if self.error is None:
                return self.role() + self._last(reply)
        return b""

    def role(self) -> bytes:
        """Return the chunk that comes first, unless it was sent."""
        if self._has_role:
            return b""
        self._has_role = True
        return self._chunk(b'{"role":"assistant","content":""}')

    def _last(self, reply: Mapping[str, Any]) -> bytes:
        reason = FINISH_REASONS[reply["finish_reason"]].encode()
        chunks = self._chunk(b"{}", b'"%b"' % reason)
        if self._has_usage:
            usage = orjson.dumps(to_usage(reply["usage"]))
            chunks += b"data: %b[],%b%b}\n\n" % (self._head(), b'"usage":', usage)
        return chunks + DONE

    def _chunk(self, delta: bytes, finish_reason: bytes = b"null") -> bytes:
        usage = b',"usage":null' if self._has_usage else b""
        choice = b'{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}' % (
            delta,
            finish_reason,
        )
        return b"data: %b[%b]%b}\n\n" % (self._head(), choice, usage)

    def _head(self) -> bytes:
        return (
            b'{"id":"%b","object":"chat.completion.chunk","created":%d,"model":%b,'
            b'"service_tier":"default","system_fingerprint":null,"choices":'
        ) % (
            ids.completion_id(self._session_id).encode(),
            self._created,
            orjson.dumps(self._model),
        )
