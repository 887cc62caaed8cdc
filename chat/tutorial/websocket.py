"""The tutorial's WebSocket: clients send plain text, and receive each reply when it has ended."""

import asyncio
import uuid
from collections.abc import Iterable, Iterator
from time import time
from typing import Any

import orjson
from rest_framework.exceptions import ValidationError

from chat.api import headers, query_params
from chat.api.exception_handler import to_parley_error
from chat.api.serializers import NewMessageBody
from chat.api.strict_serializer import validate
from chat.conversation import sessions, tokens, turns
from chat.domain import Caller, EventBatch, Gap, Role, Status
from chat.domain.errors import InvalidRequest, NotFound, ParleyError
from chat.logging import reset_context
from chat.realtime.websocket import SessionWebSocket
from chat.settings import chat_settings
from chat.tutorial.rest import make_entry, render_entry

# The start of delta events, which are frequent and not needed here.
DELTA = b'{"type":"message.delta"'
TERMINAL_EVENTS = {f"message.{status}" for status in Status if status.is_terminal}


class TutorialWebSocket(SessionWebSocket):
    """One WebSocket of the tutorial's client.

    It receives all replies of its session that end while it is open, in order. Errors are sent as
    text, because the format has no other field for them.
    """

    async def handle_frame(self, caller: Caller, text: str | None) -> bytes:
        """Submit a message; return b"", or an entry with the error."""
        error = await asyncio.to_thread(submit, caller, text)
        return orjson.dumps(make_entry(str(uuid.uuid4()), "Bot", error, time())) if error else b""

    def serialize(self, item: EventBatch | Gap) -> Iterable[bytes]:
        return [orjson.dumps(render_entry(reply)) for reply in terminal_messages(item)]

    async def _authenticate_by_url(self) -> None:
        self._accept(*await asyncio.to_thread(authenticate, self.scope["query_string"]))


def authenticate(query: bytes) -> tuple[Caller, int]:
    """Return the caller of the token in the URL, and the session's current seq.

    Raises:
        NotFound: the setting `TUTORIAL` is off.
        InvalidToken, SessionNotFound, SessionExpired, StoreUnavailable
    """
    if not chat_settings.TUTORIAL:
        raise NotFound
    caller = tokens.caller_from_token(query_params.parse(query).get("token", ""))
    return caller, sessions.read(caller, limit=0).seq


def submit(caller: Caller, text: str | None) -> str:
    """Submit a message; return the error, or ""."""
    request_id = headers.new_request_id()
    reset_context(request_id=request_id)
    try:
        if text is None:
            raise InvalidRequest("A message must be text.")
        content = validate(NewMessageBody, {"content": text})["content"]
        turns.submit(caller=caller, content=content, request_id=request_id)
    except (ParleyError, ValidationError) as error:
        return (to_parley_error(error) or ParleyError()).message
    return ""


def terminal_messages(item: EventBatch | Gap) -> Iterator[dict[str, Any]]:
    """Yield the replies that ended within a batch of events, or within a gap, in order."""
    match item:
        case Gap():
            for message in map(orjson.loads, item.snapshot.messages):
                if message["seq"] > item.requested and _is_terminal(message):
                    yield message
        case EventBatch():
            events = [orjson.loads(event) for event in item.events if not event.startswith(DELTA)]
            yield from (event["message"] for event in events if event["type"] in TERMINAL_EVENTS)


def _is_terminal(message: dict[str, Any]) -> bool:
    return message["role"] == Role.ASSISTANT and Status(message["status"]).is_terminal
