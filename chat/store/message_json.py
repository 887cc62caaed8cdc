"""The JSON of messages as scripts store and splice it; see `lua/lib/message_json.lua`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from chat.domain import HistoryMessage, PastTurn, Role, Status
from chat.domain.files import Part

# Seven times faster than a lookup by the enum itself; the history of a claim has about twenty
# messages.
ROLES = {role.value: role for role in Role}
STATUSES = {status.value: status for status in Status}


def json_escape(text: str) -> bytes:
    """Return the inside of `text` as a JSON string; the results can be concatenated."""
    return orjson.dumps(text)[1:-1]


def parts_json(parts: Sequence[Part]) -> bytes:
    """Return the parts of a message as JSON; empty if it has only text."""
    return orjson.dumps([part.to_json() for part in parts]) if parts else b""


def past_turn_args(turns: Iterable[PastTurn]) -> list[bytes]:
    """Return the arguments of `lua/lib/past_turns.lua`."""
    return [
        arg
        for turn in turns
        for arg in (json_escape(turn.content), parts_json(turn.parts), json_escape(turn.reply))
    ]


def escape_reasoning(text: str) -> bytes:
    """Return reasoning as a part of a reply's output; see `lua/lib/output.lua`."""
    return b"\x01%b\x02" % json_escape(text)


def parse_message(stored: Mapping[str, Any]) -> HistoryMessage:
    """Return a stored message, of which the JSON is parsed, as part of a history."""
    return HistoryMessage(
        stored["id"],
        ROLES[stored["role"]],
        stored["content"],
        STATUSES[stored["status"]],
        stored["reply_to"],
        stored.get("replaces"),
        stored["attempt"],
        parse_parts(stored["parts"]) if "parts" in stored else (),
    )


def parse_parts(parts: Iterable[Mapping[str, Any]]) -> tuple[Part, ...]:
    return tuple(map(Part.from_json, parts))


def message_number_in(message: bytes) -> int:
    """Return the number of a stored message.

    Quotes inside JSON strings are escaped, so no text can match the member's name.
    """
    return int(message.split(b'"id":"msg_', 1)[1].split(b'"', 1)[0])
