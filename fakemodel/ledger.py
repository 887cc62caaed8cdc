"""The record as tests read it: `GET /__calls__`."""

from typing import Any
from urllib.parse import parse_qs

import orjson

from fakemodel.calls import Call
from fakemodel.errors import Refused, malformed
from fakemodel.formats.registry import find_format
from fakemodel.recorder import Entry, Record

MOST_SHOWN = 1000  # calls a page, unless `limit` says otherwise

# What a call's body says in its own field of the entry, not among the parameters.
TOLD_APART = frozenset({"model", "messages", "prompt", "inputs", "stream"})
WORDED = ("number", "format", "path", "received_at", "in_flight", "status", "fault",
          "first_byte_at", "finished_at", "closed_early", "bytes_sent")  # fmt: skip


def list_calls(record: Record, query: bytes) -> dict[str, Any]:
    """A page of calls, oldest first: `?after=<number>&match=<text>&limit=`; raises Refused."""
    asked = parse_qs(query.decode("latin-1"))
    after, limit = number(asked, "after", 0), number(asked, "limit", MOST_SHOWN)
    match = asked.get("match", [""])[-1]
    found: list[dict[str, Any]] = []
    for entry in record.calls:
        if entry.number > after and len(found) < limit:
            told = describe(entry)
            if match in told["asked"]:
                found.append(told)
    return {
        "calls": found,
        "total": record.total,
        "kept": len(record.calls),
        "in_flight": record.in_flight,
        "most_in_flight": record.most_in_flight,
    }


def number(asked: dict[str, list[str]], name: str, default: int) -> int:
    """The number `name` of a query; raises Refused (400)."""
    text = asked.get(name, [str(default)])[-1]
    if not text.isdecimal():
        raise malformed(f"'{name}' must be a number.", name)
    return int(text)


def describe(entry: Entry) -> dict[str, Any]:
    """One call: when, how, what the model was shown, how it was answered."""
    told = {name: getattr(entry, name) for name in WORDED}
    call = read(entry)
    if call is None:
        return told | {"asked": "", "messages": None, "prompt": None, "model": None,
                       "stream": None, "parameters": {}}  # fmt: skip
    fields = orjson.loads(entry.body)
    return told | {
        "asked": call.asked,
        "messages": [message._asdict() for message in call.messages],
        "prompt": call.prompt,
        "model": call.model,
        "stream": call.stream,
        "parameters": {name: fields[name] for name in fields if name not in TOLD_APART},
    }


def read(entry: Entry) -> Call | None:
    """The call that came with `entry`, or None if its body was refused."""
    speaks = find_format(entry.path)
    try:
        return speaks.parse(entry.body, entry.path) if speaks else None
    except Refused:
        return None
