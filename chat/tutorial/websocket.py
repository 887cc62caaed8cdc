"""The tutorial's socket: plain text in, each reply of the session out when it has ended."""

import asyncio
import uuid
from collections.abc import Iterable, Iterator
from time import time
from typing import Any

import orjson
from django.http import QueryDict
from rest_framework.exceptions import ValidationError

from chat.api import headers
from chat.api.exception_handler import to_parley_error
from chat.api.serializers import NewMessageBody, validate
from chat.conversation import sessions, tokens, turns
from chat.domain import Caller, EventBatch, Gap, Role, Status
from chat.domain.errors import InvalidRequest, NotFound, ParleyError
from chat.logging import reset_context
from chat.realtime.websocket import SessionWebSocket
from chat.settings import chat_settings
from chat.tutorial.rest import make_entry, render_entry

# How those events begin that are many, and that nobody asks for here.
DELTA = b'{"type":"message.delta"'
TERMINAL_EVENTS = {f"message.{status}" for status in Status if status.is_terminal}


class TutorialWebSocket(SessionWebSocket):
    """One socket of the tutorial's client.

    It is sent every reply of its session that ends while it is open, in order, whoever asked for
    it. A message that is refused, and a turn that fails, are answered in words: the client knows
    nothing else.
    """

    async def handle_frame(self, caller: Caller, text: str | None) -> bytes:
        """Post what the client says; return why it is refused, or nothing."""
        refusal = await asyncio.to_thread(submit, caller, text)
        return (
            orjson.dumps(make_entry(str(uuid.uuid4()), "Bot", refusal, time())) if refusal else b""
        )

    def serialize(self, found: EventBatch | Gap) -> Iterable[bytes]:
        """Return the replies that have ended."""
        return [orjson.dumps(render_entry(reply)) for reply in terminal_messages(found)]

    async def _authenticate_by_url(self) -> None:
        try:
            self._admission.set_result(
                await asyncio.to_thread(authenticate, self.scope["query_string"])
            )
        except ParleyError as error:
            self._admission.set_exception(error)


def authenticate(query: bytes) -> tuple[Caller, int]:
    """Return whom the URL's token names, and the seq of the session as it is now.

    Raises:
        NotFound: there is no such socket here.
        InvalidToken, SessionNotFound, SessionExpired, StoreUnavailable
    """
    if not chat_settings.TUTORIAL:
        raise NotFound
    caller = tokens.caller_from_token(QueryDict(query).get("token", ""))
    return caller, sessions.read(caller, limit=0).seq


def submit(caller: Caller, text: str | None) -> str:
    """Submit a message; return why it is refused, or ""."""
    request_id = headers.request_id({})
    reset_context(request_id=request_id)
    try:
        if text is None:
            raise InvalidRequest("A message is text.")
        content = validate(NewMessageBody, {"content": text})["content"]
        turns.submit(caller=caller, content=content, request_id=request_id)
    except (ParleyError, ValidationError) as error:
        return (to_parley_error(error) or ParleyError()).message
    return ""


def terminal_messages(found: EventBatch | Gap) -> Iterator[dict[str, Any]]:
    """Yield the replies that ended in a part of the log, or in what is missing of it, in order."""
    match found:
        case Gap():
            for message in map(orjson.loads, found.snapshot.messages):
                if message["seq"] > found.requested and _is_terminal(message):
                    yield message
        case EventBatch():
            events = [orjson.loads(each) for each in found.events if not each.startswith(DELTA)]
            yield from (event["message"] for event in events if event["type"] in TERMINAL_EVENTS)


def _is_terminal(message: dict[str, Any]) -> bool:
    return message["role"] == Role.ASSISTANT and Status(message["status"]).is_terminal
