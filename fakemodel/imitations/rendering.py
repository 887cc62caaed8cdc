"""Render a reply as the imitated server sends it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from fakemodel.calls import Call
from fakemodel.formats.base import JSON, Rendering, escape_token
from fakemodel.imitations.imitation import NO_FIELDS, Fields, Imitation, UsageIn, Value
from fakemodel.replies.reply import Reply

# Is rendered with the document, then replaced by the tokens.
PLACEHOLDER = "fakemodelcontent"

UNKNOWN_FIELDS: Fields = {"x_unknown": {"a": [1, None]}}


def render(
    imitation: Imitation, call: Call, reply: Reply, reply_id: str, *, unknown_fields: bool
) -> Rendering:
    """Return `reply` as JSON or as a stream."""
    renderer = Renderer(
        imitation=imitation,
        call=call,
        reply=reply,
        values=_values(imitation, reply),
        fields=_shared_fields(imitation, call, reply_id),
        unknown_fields=UNKNOWN_FIELDS if unknown_fields else NO_FIELDS,
    )
    return renderer.render_stream() if call.stream else renderer.render_document()


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    """Renders one reply."""

    imitation: Imitation
    call: Call
    reply: Reply
    values: dict[Value, Any]
    # `id`, `created`, `model`.
    fields: Fields
    unknown_fields: Fields

    def render_document(self) -> Rendering:
        """Return the reply as one JSON document."""
        document = self.imitation.document
        fields = {
            **self.fields,
            "object": "chat.completion",
            "choices": [
                {
                    "index": 0,
                    "message": self._message(),
                    **document.choice,
                    "finish_reason": self.values[Value.FINISH_REASON],
                }
            ],
            **document.fields,
            **self._usage_fields(),
            **self.unknown_fields,
        }
        body = orjson.dumps(_resolve(fields, self.values))
        head, _, tail = body.partition(PLACEHOLDER.encode())
        return Rendering(
            content_type=JSON,
            head=head,
            encode_token=escape_token,
            tail=escape_token(0, self._stop_sequence) + tail,
        )

    def _usage_fields(self) -> Fields:
        if not self.reply.has_usage:
            return NO_FIELDS
        return {**self.imitation.document.usage_fields, "usage": self.values[Value.USAGE]}

    @property
    def _stop_sequence(self) -> str:
        """The end of the text that other servers cut off."""
        return self.reply.stop_sequence if self.imitation.includes_stop_sequence else ""

    def _message(self) -> Fields:
        message = {"role": "assistant", "content": PLACEHOLDER, **self.imitation.document.message}
        reasoning = self.imitation.reasoning
        if self.reply.reasoning and reasoning is not None:
            message |= reasoning.message("".join(self.reply.reasoning), PLACEHOLDER)
        return message

    def render_stream(self) -> Rendering:
        """Return the reply as events."""
        stream = self.imitation.stream
        return Rendering(
            content_type=stream.content_type,
            head=stream.preamble + b"".join(self._head()),
            encode_token=self._encode_token,
            tail=b"".join(self._tail()),
            terminator=stream.terminator,
        )

    def _head(self) -> Iterator[bytes]:
        stream = self.imitation.stream
        for chunk in stream.chunks_before:
            yield self._event(chunk)
        if self.unknown_fields:
            yield self._event({"choices": [], **self.unknown_fields})
        if stream.first is not None:
            yield self._chunk(stream.first, fields=stream.first_fields)
        yield from self._reasoning()

    def _reasoning(self) -> Iterator[bytes]:
        reasoning = self.imitation.reasoning
        if reasoning is None or not self.reply.reasoning:
            return
        first, *others = self.reply.reasoning
        for token in (reasoning.opening + first, *others):
            yield self._chunk(reasoning.delta(token))
        if reasoning.closing:
            yield self._text_chunk(reasoning.closing)

    def _encode_token(self, index: int, token: str) -> bytes:
        is_last = self.imitation.stream.last is None and index == len(self.reply.tokens) - 1
        return b"" if is_last else self._text_chunk(token)  # the tail has the last one

    def _text_chunk(self, text: str) -> bytes:
        return self._chunk({**self.imitation.stream.delta, "content": text})

    def _tail(self) -> Iterator[bytes]:
        stream = self.imitation.stream
        if self._stop_sequence:
            yield self._text_chunk(self._stop_sequence)
        yield self._last_chunk()
        for chunk in stream.chunks_after:
            yield self._event(chunk)
        if stream.usage is UsageIn.REQUESTED_CHUNK and self._sends_usage():
            yield self._event(
                {
                    **self._chunk_fields(),
                    "choices": list(stream.usage_choices),
                    "usage": self.values[Value.USAGE],
                }
            )

    def _last_chunk(self) -> bytes:
        stream = self.imitation.stream
        delta = stream.last
        if delta is None:
            delta = {**stream.delta, "content": "".join(self.reply.tokens[-1:])}
        fields = stream.last_fields if self.reply.has_usage else NO_FIELDS
        is_in_last = stream.usage is UsageIn.LAST and self.reply.has_usage
        if is_in_last or (stream.usage is UsageIn.REQUESTED_LAST and self._sends_usage()):
            fields = {**fields, "usage": self.values[Value.USAGE]}
        return self._chunk(
            delta,
            finish_reason=self.values[Value.FINISH_REASON],
            choice=stream.last_choice,
            fields=fields,
        )

    def _sends_usage(self) -> bool:
        return self.call.include_usage and self.reply.has_usage

    def _chunk_fields(self) -> Fields:
        return {
            **self.fields,
            "object": "chat.completion.chunk",
            **self.imitation.stream.fields,
        }

    def _chunk(
        self,
        delta: Fields,
        *,
        finish_reason: str | None = None,
        choice: Fields = NO_FIELDS,
        fields: Fields = NO_FIELDS,
    ) -> bytes:
        stream = self.imitation.stream
        choice = {"index": 0, "delta": delta, **stream.choice, **choice}
        if finish_reason or not stream.omits_null_finish_reason:
            choice = {**choice, "finish_reason": finish_reason}
        null_usage = stream.has_null_usage and self.call.include_usage
        usage = {"usage": None} if null_usage else NO_FIELDS
        return self._event({**self._chunk_fields(), **usage, "choices": [choice], **fields})

    def _event(self, fields: Fields) -> bytes:
        prefix = self.imitation.stream.prefix
        return b"%b%b\n\n" % (prefix, orjson.dumps(_resolve(fields, self.values)))


def _shared_fields(imitation: Imitation, call: Call, reply_id: str) -> Fields:
    created = int(time.time())
    name = imitation.id_format.format(id=reply_id, created=created)
    return {"id": name, "created": created, "model": call.model}


def _values(imitation: Imitation, reply: Reply) -> dict[Value, Any]:
    completion = len(reply.tokens) + len(reply.reasoning)
    values: dict[Value, Any] = {
        Value.PROMPT_TOKENS: reply.prompt_tokens,
        Value.COMPLETION_TOKENS: completion,
        Value.REASONING_TOKENS: len(reply.reasoning),
        Value.FINISH_REASON: imitation.finish_reasons.get(reply.finish_reason, reply.finish_reason),
    }
    usage = {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": reply.prompt_tokens + completion,
    }
    values[Value.USAGE] = usage | _resolve(dict(imitation.usage), values)
    return values


def _resolve(value: Any, values: dict[Value, Any]) -> Any:
    if isinstance(value, Value):
        return values[value]
    if isinstance(value, dict):
        return {name: _resolve(inner, values) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_resolve(inner, values) for inner in value]
    return value
