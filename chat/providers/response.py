"""A vendor's response: its body as JSON objects, whatever format the body turns out to have."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import orjson

from chat.domain import Model
from chat.domain.errors import ModelInvalidResponse
from chat.http import sse
from chat.http.client import Response
from chat.providers import error_text, errors
from chat.providers.body import MAX_TAIL_TIMEOUT, Body, too_large
from chat.providers.deviations import Deviation, describe, invalid_response, quote, report
from chat.providers.json_access import SurrogateJoiner, parse_leniently

MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
# Documents that are read in one pass of the event loop: a server can send thousands in one packet.
DOCUMENTS_PER_PASS = 100

_DONE = b"[DONE]"
# Events with another name, such as `ping`, are ignored unless their data is a part of the reply.
_UNNAMED = {b"", b"message"}
# Names of events that report an error: `error`, Bedrock's `throttlingException`.
_ERROR_NAME = re.compile(rb"error|exception|fail|abort", re.IGNORECASE)

Document = dict[str, Any]


class ModelResponse:
    """A vendor's response whose body has not been read yet."""

    def __init__(self, raw: Response, model: Model) -> None:
        self._raw = raw
        self._model = model.name
        self.body = Body(raw, min(MAX_TAIL_TIMEOUT, model.timeouts.between_events / 2))
        # Lines of a stream that belong to no event.
        self._unframed = b""
        # Whether the end marker of a stream has been read.
        self.is_done = False
        self._json: _JSONParser | None = None
        # Set once the response contained a lone surrogate.
        self.surrogates: SurrogateJoiner | None = None

    async def documents(self) -> AsyncGenerator[Document]:
        """Yield the JSON objects of the body as they arrive, and `{}` for each keep-alive.

        The body's first bytes decide between server-sent events and JSON, because `Content-Type` is
        often missing or wrong. JSON may be one document, or one document per line.

        Raises:
            ModelInvalidResponse: the body has neither format, or is too large.
            ProviderError: the body contains an error.
            Disconnected, OSError: the connection failed before the end of the body.
        """
        head = b""
        while (chunk := await self.body.read()) and not _has_content(head := head + chunk):
            if not sse.BOM.startswith(head):
                head = b""
            yield {}  # some servers send white space until the reply is complete
        parser, count = self._parser(head), 0
        while head:
            for document in self._documents_in(parser.feed(head)):
                yield document
                count += 1
                if count % DOCUMENTS_PER_PASS == 0:
                    await asyncio.sleep(0)
            head = b"" if self.is_done else await self.body.read()
        for document in self._documents_in(iter(()) if self.is_done else parser.end()):
            yield document
        if self.is_done:
            await self.body.drain()
        else:
            self._raise_failure()

    def _documents_in(self, events: Iterator[sse.Event]) -> Iterator[Document]:
        """Yield the documents of events up to the end marker, at least one of each."""
        for name, data in events:
            yield from self._documents_of(name, data)
            if self.is_done:
                return

    def _documents_of(self, name: bytes, data: bytes) -> Iterable[Document]:
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            document = self._read_unusual(name, data)
            if self.is_done:
                return ()
        if type(document) is dict and not document.get("error") and not name:
            return (document,)
        return self._unwrap(name, document)

    async def error_document(self) -> object:
        """Return the body of an error response: a JSON value, or the text if it is not JSON.

        An error of the connection does not hide what was received before.
        """
        body = b""
        while len(body) < MAX_ERROR_BYTES and (chunk := await self.body.read()):
            body = (body + chunk)[:MAX_ERROR_BYTES]
        for data in (body, *(data for _, data in sse.events([body]) if data)):
            with suppress(ModelInvalidResponse):
                return parse_leniently(data.removeprefix(sse.BOM))
        return body.decode(errors="replace")

    def log_deviation(self, field: str, *, expected: str, got: str, action: str) -> None:
        """Log a deviation from the format."""
        deviation = Deviation(field=field, expected=expected, got=got, action=action)
        report(self._model, deviation)

    @property
    def json_documents(self) -> int:
        """The JSON documents read from a body that is not a stream of events."""
        return self._json.documents if self._json else 0

    def _parser(self, head: bytes) -> "sse.Parser | _JSONParser":
        """Return the parser for a body that starts with `head`."""
        start = head.removeprefix(sse.BOM).lstrip()
        is_json = start.startswith((b"{", b"["))
        if start:
            self._check_headers(is_json=is_json)
        if start.startswith(b"<"):
            raise invalid_response("a body that starts with '<'")
        if is_json:
            self._json = _JSONParser()
            return self._json
        return sse.Parser()

    def _read_unusual(self, name: bytes, data: bytes) -> object:
        """Return the value of data that is not strictly JSON; `{}` if it can be ignored."""
        data = data.strip()
        if not data:
            return {}
        if data.startswith(_DONE):
            self.is_done = True
            return {}
        try:
            document = parse_leniently(data)
        except ModelInvalidResponse as error:
            return self._read_text(name, data, error)
        self.surrogates = self.surrogates or SurrogateJoiner()
        self.log_deviation(
            "JSON", expected="valid JSON", got="NaN or half a character", action="read it"
        )
        return document

    def _read_text(self, name: bytes, data: bytes, error: ModelInvalidResponse) -> object:
        if name == sse.UNFRAMED:
            self._unframed = (self._unframed + data + b"\n")[:MAX_ERROR_BYTES]
            return {}
        text = data.decode(errors="replace")
        if _ERROR_NAME.search(name):
            raise errors.from_event(self._model, text)
        if name not in _UNNAMED:
            return {}
        self._raise_text(text)
        if self.body.has_ended:  # the end has cut the data off
            self._raise_failure()
            raise unexpected_end()
        raise error

    def _unwrap(self, name: bytes, document: object) -> Iterator[Document]:
        """Yield the objects in a JSON value that is not simply a part of the reply."""
        if _ERROR_NAME.search(name):
            raise errors.from_event(self._model, document)
        if isinstance(document, dict):
            yield self._unwrap_object(name, document)
        elif isinstance(document, list) and document:
            for item in document:
                yield from self._unwrap(name, item)
        elif name in _UNNAMED:
            raise invalid_response(f"{describe(document)} instead of a JSON object")
        else:
            yield {}

    def _unwrap_object(self, name: bytes, document: Document) -> Document:
        """Return the object, or `{}` if it can be ignored."""
        if document.get("error"):
            raise errors.from_event(self._model, document)
        if name == sse.UNFRAMED:
            self.log_deviation("event", expected="data: before JSON", got="none", action="read it")
        elif name not in _UNNAMED and _is_notice(document):
            return {}
        return document

    def _raise_failure(self) -> None:
        """Raise the error that a stream ended with, if any."""
        if self._unframed:
            self._raise_unframed()
        if self.body.failure is not None:
            raise self.body.failure

    def _raise_unframed(self) -> None:
        """Raise the error that a server or gateway wrote between the events, if it is one."""
        with suppress(ModelInvalidResponse):
            for document in self._unwrap(b"", parse_leniently(self._unframed)):
                if error_text.is_error(document):
                    raise errors.from_event(self._model, document)
        self._raise_text(self._unframed.decode(errors="replace"))

    def _raise_text(self, text: str) -> None:
        """Raise the error that a text reports, unless it is JSON, which may quote the reply."""
        if not text.startswith(("{", "[")) and (error := errors.from_text(self._model, text)):
            raise error

    def _check_headers(self, *, is_json: bool) -> None:
        headers = self._raw.headers
        content_type = headers.get("content-type", "")
        media_type = content_type.partition(";")[0].strip().lower()
        expected = "application/json" if is_json else "text/event-stream"
        if media_type != expected and not (is_json and _is_json_type(media_type)):
            got = quote(content_type) if content_type else "none"
            self.log_deviation(
                "content-type", expected=expected, got=got, action="used the body's format"
            )
        encoding = headers.get("content-encoding", "identity")
        if encoding.strip().lower() != "identity":
            action = "used the body's bytes"
            self.log_deviation(
                "content-encoding", expected="identity", got=quote(encoding), action=action
            )
        if self._raw.status != HTTPStatus.OK:
            got = str(self._raw.status)
            self.log_deviation("status", expected="200", got=got, action="read the body")


class _JSONParser:
    """Splits a body into its JSON document, or one on each line as soon as it arrives."""

    def __init__(self) -> None:
        self.documents = 0
        self._pending = bytearray()
        # Whether each line is a document; `None` if unknown.
        self._has_lines: bool | None = None

    def feed(self, chunk: bytes) -> Iterator[sse.Event]:
        if not self._pending and self._has_lines is None:
            chunk = chunk.removeprefix(sse.BOM).lstrip()
        self._pending += chunk
        if len(self._pending) > MAX_DOCUMENT_BYTES:
            raise too_large()
        if self._has_lines is False or b"\n" not in chunk:
            return
        *lines, rest = self._pending.split(b"\n")
        self._has_lines = self._has_lines or _is_json(lines[0])
        if self._has_lines:
            self._pending = rest
            yield from self._count(lines)

    def end(self) -> Iterator[sse.Event]:
        yield from self._count([self._pending])

    def _count(self, documents: list[bytearray]) -> Iterator[sse.Event]:
        for data in filter(bytearray.strip, documents):
            self.documents += 1
            yield b"", bytes(data.removeprefix(b"data:"))


def _has_content(head: bytes) -> bool:
    """Return whether a body has started, and its start is long enough to tell its format."""
    return bool(head.removeprefix(sse.BOM).strip()) and not sse.BOM.startswith(head)


def unexpected_end() -> ModelInvalidResponse:
    """Return the error for a reply that ended without its finish reason."""
    message = "The model's reply ended unexpectedly."
    return invalid_response("the end of the stream before a finish reason", message)


def _is_notice(document: Document) -> bool:
    """Return whether the object of a named event has a message, but no known error."""
    has_message = not document.get("choices") and error_text.is_error(document)
    return has_message and not errors.is_known(document)


def _is_json_type(media_type: str) -> bool:
    return media_type.startswith("application/") and media_type.endswith(("json", "jsonl"))


def _is_json(data: bytes | bytearray) -> bool:
    try:
        parse_leniently(data)
    except ModelInvalidResponse:
        return False
    return True
