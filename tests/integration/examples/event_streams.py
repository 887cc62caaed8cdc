"""JSON and event streams, in a form in which those of two similar replies are equal."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

# Members that differ each time; their types are compared.
VOLATILE = re.compile(
    r"(created|started|completed|expires|last_active)_at|created|seq|sequence_number|token|ticket"
    r"|request_id|session_start|retry"
)
# Of sessions and files.
HEX_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{24}(?![0-9a-f])")
DONE = "[DONE]"

Event = dict[str, Any]


def kind(value: Any) -> str:
    """Return the type of a value in JSON."""
    return "number" if isinstance(value, int | float) else type(value).__name__


def mask(value: Any) -> Any:
    """Replace values that differ each time by the names of their types, and ids by `...`."""
    if isinstance(value, list):
        return [mask(each) for each in value]
    if isinstance(value, str):
        return HEX_ID.sub("...", value)
    if not isinstance(value, dict):
        return value
    return {
        name: kind(each) if VOLATILE.fullmatch(name) else mask(each) for name, each in value.items()
    }


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """Yield the fields of each event, with `data` as an object. Comments are left out."""
    event: Event = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name:
            event[name] = json.loads(value) if name == "data" and value != DONE else value
        elif not line and event:
            yield event
            event = {}


def normalise(events: Iterable[Event]) -> list[tuple[Event, str]]:
    """Return masked events and their texts. Consecutive deltas, cut anywhere, are one event."""
    found: list[tuple[Event, str]] = []
    for event in events:
        masked = mask(event | {"id": "number"} if "id" in event else event)
        text = take_delta(masked["data"]) if "data" in masked else ""
        if found and found[-1][0] == masked:
            text = found.pop()[1] + text
        found.append((masked, text))
    return found


def take_delta(data: Any) -> str:
    """Return the text that an event adds to a reply, and replace it there by an empty one."""
    if data == DONE:
        return ""
    holder, name = data, "delta"
    if data.get("choices"):
        holder, name = data["choices"][0]["delta"], "content"
    text = str(holder.get(name, ""))
    if text:
        holder[name] = ""
    return text
