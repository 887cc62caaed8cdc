"""The call recorder: what the server received and sent, for tests to read (`GET /__calls__`)."""

import hashlib
import time
from base64 import b64decode
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import orjson

from fakemodel.calls import Call
from fakemodel.errors import APIError, bad_request
from fakemodel.formats.base import Format

# Enough for a long test run; the oldest calls are dropped first.
MAX_CALLS = 20_000
MAX_BYTES = 64 * 1024 * 1024  # of request bodies

PAGE_SIZE = 1000  # calls, unless the query has a `limit`

# Fields of a record that `/__calls__` shows unchanged.
RECORD_FIELDS = ("number", "format", "path", "received_at", "in_flight", "status", "fault",
                 "first_byte_at", "finished_at", "client_disconnected", "bytes_sent")  # fmt: skip
# Fields of a body that `/__calls__` shows by themselves; the others are `parameters`.
BODY_FIELDS = frozenset({"model", "messages", "prompt", "inputs", "stream"})


@dataclass(slots=True, kw_only=True)
class CallRecord:
    """One call; times are seconds since the epoch."""

    # Counts from 1 in order of arrival; calls that were dropped count as well.
    number: int
    wire_format: Format
    path: str
    body: bytes
    received_at: float
    # Calls in progress when this one arrived, itself included.
    in_flight: int
    # The HTTP status sent, if any.
    status: int | None = None
    fault: str | None = None
    first_byte_at: float | None = None
    finished_at: float | None = None
    # Whether the client closed the connection before the reply was complete.
    client_disconnected: bool = False
    # Bytes of the body written to the socket.
    bytes_sent: int = 0

    @property
    def format(self) -> str:
        return self.wire_format.name


@dataclass(slots=True)
class Recorder:
    """Counts all calls; stores the most recent ones if `stores_calls`."""

    stores_calls: bool
    calls: deque[CallRecord] = field(default_factory=deque)
    total: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    stored_bytes: int = 0

    def start(self, wire_format: Format, *, path: str, body: bytes) -> CallRecord:
        """Return the record of a call that has just arrived."""
        self.total += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        record = CallRecord(
            number=self.total,
            wire_format=wire_format,
            path=path,
            body=body,
            received_at=time.time(),
            in_flight=self.in_flight,
        )
        if self.stores_calls:
            self._store(record)
        return record

    def finish(self, record: CallRecord) -> None:
        """Record the end of a call."""
        self.in_flight -= 1
        record.finished_at = time.time()

    def _store(self, record: CallRecord) -> None:
        self.calls.append(record)
        self.stored_bytes += len(record.body)
        while len(self.calls) > MAX_CALLS or self.stored_bytes > MAX_BYTES:
            self.stored_bytes -= len(self.calls.popleft().body)

    def reset(self) -> None:
        """Drop all records; calls in progress still count as in flight."""
        self.calls.clear()
        self.stored_bytes = 0
        self.total = 0
        self.max_in_flight = self.in_flight


def list_calls(recorder: Recorder, query: bytes) -> dict[str, Any]:
    """Return a page of calls, oldest first; `query` is `after=<number>&match=<text>&limit=`.

    Raises:
        APIError: 400, the query is invalid.
    """
    params = parse_qs(query.decode("latin-1"))
    after, limit = _number(params, "after", 0), _number(params, "limit", PAGE_SIZE)
    match = params.get("match", [""])[-1]
    page: list[dict[str, Any]] = []
    for record in recorder.calls:
        if record.number > after and len(page) < limit:
            call = _describe(record)
            if match in call["last_user_message"]:
                page.append(call)
    return {
        "calls": page,
        "total": recorder.total,
        "stored": len(recorder.calls),
        "in_flight": recorder.in_flight,
        "max_in_flight": recorder.max_in_flight,
    }


def _number(params: dict[str, list[str]], name: str, default: int) -> int:
    text = params.get(name, [str(default)])[-1]
    if not text.isdecimal():
        raise bad_request(f"'{name}' must be a number.", name)
    return int(text)


def _describe(record: CallRecord) -> dict[str, Any]:
    description = {name: getattr(record, name) for name in RECORD_FIELDS}
    call = _parse(record)
    if call is None:
        return description | {"last_user_message": "", "messages": None, "attachments": [],
                              "prompt": None, "model": None, "stream": None,
                              "parameters": {}}  # fmt: skip
    fields = orjson.loads(record.body)
    return description | {
        "last_user_message": call.last_user_message,
        "messages": [message._asdict() for message in call.messages],
        "attachments": _attachments(fields),
        "prompt": call.prompt,
        "model": call.model,
        "stream": call.stream,
        "parameters": {name: fields[name] for name in fields if name not in BODY_FIELDS},
    }


def _attachments(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the images and files of the messages: type, URL or media type, bytes and SHA-256."""
    contents = [message.get("content") for message in fields.get("messages", ())]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return [_attachment(part) for part in parts if part.get("type") in {"image_url", "file"}]


def _attachment(part: dict[str, Any]) -> dict[str, Any]:
    kind: str = part["type"]
    url: str = part[kind].get("url") or part[kind].get("file_data") or ""
    head, comma, data = url.partition(";base64,")
    if not comma:
        return {"type": kind, "url": url}
    content = b64decode(data)
    return {
        "type": kind,
        "media_type": head.removeprefix("data:"),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _parse(record: CallRecord) -> Call | None:
    """Return the call in the recorded body, or None if the body was rejected."""
    try:
        return record.wire_format.parse(record.body, record.path)
    except APIError:
        return None
