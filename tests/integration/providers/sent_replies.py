"""Random replies, as the servers that the fake model imitates send them."""

from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from hypothesis import strategies as st

from fakemodel.calls import Call, Message
from fakemodel.formats.base import Format
from fakemodel.formats.chat import CHAT
from fakemodel.formats.completions import COMPLETIONS
from fakemodel.formats.huggingface import HUGGINGFACE
from fakemodel.imitations.format import format_of
from fakemodel.imitations.registry import IMITATIONS
from fakemodel.replies.reply import Reply

FORMATS: dict[str, Format] = {
    "chat": CHAT,
    "completions": COMPLETIONS,
    "huggingface": HUGGINGFACE,
    **{name: format_of(imitation) for name, imitation in IMITATIONS.items()},
}
PROVIDERS = {"completions": "completions", "huggingface": "huggingface"}

# Texts that framing, JSON or think tags could confuse.
ODD_TEXTS = [
    *("", " ", "\n", "\r\n", "\r", "\n\n", "\t", "\x00", "\x85", "\u2028", "\ufeff"),
    *('"', "\\", "\\u00e9", "{", "}]", "data: x\n\n", ": x", "[DONE]", "data: [DONE]\n\n"),
    *("<think>", "</think>", "<thi", "\nHum", "Bot:", "Gr\u00fc\u00dfe", "e\u0301", "\u6f22\u5b57"),
    *("\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u05e9\u05dc", "a" * 300),
]
texts = st.sampled_from(ODD_TEXTS) | st.text(st.characters(codec="utf-8"), max_size=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A reply, and its stream in parts. Each ends in one or more whole events."""

    format: str
    reply: Reply
    head: bytes
    tokens: tuple[bytes, ...]
    tail: bytes
    # The same reply as one JSON document.
    document: bytes
    # Events of a chat that are neither text nor reasoning, after some of the tokens.
    extras: tuple[bytes, ...] = field(default=())

    @property
    def provider(self) -> str:
        return PROVIDERS.get(self.format, "openai")

    @property
    def text(self) -> str:
        """The text that the provider should yield, without think tags."""
        return self.reply.text if self.provider == "openai" else self.reply.text.strip()

    @property
    def stream(self) -> bytes:
        events = [self.head]
        for index, token in enumerate(self.tokens):
            events += [token, *self.extras[index : index + 1]]
        return b"".join([*events, self.tail])


def _chunk(**delta: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return b"data: %b\n\n" % orjson.dumps({"choices": [choice]})


TOOL_CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}
EXTRAS = [
    *(b"", b": ping\n\n", b": ping\n", b"event: ping\ndata: {}\n\n", b"event: ping\ndata: x\n\n"),
    *(_chunk(), _chunk(content=""), _chunk(content=None), _chunk(tool_calls=[TOOL_CALL])),
    b'data: {"choices":[]}\n\n',
    b"id: 7\nretry: 100\n\n",
    b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1}}\n\n',
]


@st.composite
def sent_replies(draw: st.DrawFn, *, with_extras: bool = True) -> Sent:
    """Draw a reply with some visible text."""
    tokens = [*draw(st.lists(texts, max_size=5)), "Hi"]
    tokens.insert(draw(st.integers(0, len(tokens))), draw(texts))
    reply = Reply(
        tokens=tuple(tokens),
        finish_reason=draw(st.sampled_from(["stop", "length"])),
        has_usage=draw(st.booleans()),
        prompt_tokens=7,
    )
    sent = render(draw(st.sampled_from(list(FORMATS))), reply)
    if not with_extras or sent.provider != "openai":
        return sent
    return replace(sent, extras=tuple(draw(st.lists(st.sampled_from(EXTRAS), max_size=3))))


def render(name: str, reply: Reply) -> Sent:
    """Return `reply` as the server sends it."""
    wire_format = FORMATS[name]
    call = Call(
        format=wire_format.name,
        model="m",
        messages=(Message("user", "Hello"),),
        stream=True,
        details=True,
    )
    stream = wire_format.render(call, reply, "1", unknown_fields=False)
    whole = wire_format.render(replace(call, stream=False), reply, "1", unknown_fields=False)
    document = [whole.encode_token(index, token) for index, token in enumerate(reply.tokens)]
    return Sent(
        format=name,
        reply=reply,
        head=stream.head,
        tokens=tuple(stream.encode_token(index, token) for index, token in enumerate(reply.tokens)),
        tail=stream.tail + stream.terminator,
        document=b"".join([whole.head, *document, whole.tail, whole.terminator]),
    )
