"""The JSON of messages as scripts store and splice it; see `lua/lib/message_json.lua`."""

from collections.abc import Sequence

import orjson

from chat.domain.files import Part


def json_escape(text: str) -> bytes:
    """Return the inside of `text` as a JSON string; the results can be concatenated."""
    return orjson.dumps(text)[1:-1]


def parts_json(parts: Sequence[Part]) -> bytes:
    """Return the parts of a message as JSON; empty if it has only text."""
    return orjson.dumps([part.to_json() for part in parts]) if parts else b""


def escape_reasoning(text: str) -> bytes:
    """Return reasoning as a part of a reply's output; see `lua/lib/output.lua`."""
    return b"\x01%b\x02" % json_escape(text)


def message_number_in(message: bytes) -> int:
    """Return the number of a stored message.

    Quotes inside JSON strings are escaped, so no text can match the member's name.
    """
    return int(message.split(b'"id":"msg_', 1)[1].split(b'"', 1)[0])
