"""Accepted turns: waiting for their ends, and streams of their events."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

from chat.callbacks import noop
from chat.conversation import messages, sessions
from chat.domain import Accepted, Caller, EventBatch, Gap, Status
from chat.domain.errors import StreamTrimmed, TurnFailed
from chat.protocols.log_events import LogEvent, parse_event
from chat.realtime import session_events
from chat.realtime.close_codes import Abort
from chat.settings import chat_settings

# Seconds that a call waits for the end of its turn.
MAX_WAIT = 600.0
# Code of a turn's error -> status of the response.
STATUSES = {
    "model_rate_limited": HTTPStatus.TOO_MANY_REQUESTS,
    "model_bad_request": HTTPStatus.BAD_REQUEST,
    "context_too_long": HTTPStatus.BAD_REQUEST,
    "turn_expired": HTTPStatus.SERVICE_UNAVAILABLE,
    "model_loading": HTTPStatus.SERVICE_UNAVAILABLE,
    "model_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "model_timeout": HTTPStatus.GATEWAY_TIMEOUT,
    "deadline_exceeded": HTTPStatus.GATEWAY_TIMEOUT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A turn that was accepted."""

    caller: Caller
    # The reply as it was when it was read.
    reply: Mapping[str, Any]
    # What the client's request says about its response.
    params: Mapping[str, Any]
    # seq of its `message.queued`; 0 if unknown.
    queued_at: int = 0
    # No worker has the session: wake one.
    needs_wake: bool = False

    @classmethod
    def from_accepted(cls, caller: Caller, accepted: Accepted, params: Mapping[str, Any]) -> "Turn":
        reply = orjson.loads(accepted.reply)
        return cls(
            caller=caller,
            reply=reply,
            params=params,
            queued_at=reply["seq"],
            needs_wake=accepted.needs_wake,
        )

    @property
    def session_id(self) -> str:
        return self.caller.session_id

    @property
    def reply_id(self) -> str:
        reply_id: str = self.reply["id"]
        return reply_id

    @property
    def number(self) -> int:
        return int(self.reply_id.removeprefix("msg_"))


class ReplyFailed(TurnFailed):
    """The turn has failed."""

    def __init__(self, error: Mapping[str, str]) -> None:
        super().__init__(error["message"])
        self.code = error["code"]  # type: ignore[misc]  # of the turn's own error
        self.status = STATUSES.get(self.code, HTTPStatus.BAD_GATEWAY)


async def wait_for_end(turn: Turn) -> Mapping[str, Any]:
    """Return the reply once the turn has ended, or its state after `MAX_WAIT`.

    Events have no items, so a reply with reasoning is read.

    Raises:
        SessionNotFound, SessionExpired: the session was deleted.
        RateLimited: it has too many subscribers.
        StoreUnavailable
    """
    has_reasoning = False
    try:
        async with asyncio.timeout(MAX_WAIT), aclosing(events(turn, is_whole=False)) as received:
            async for event in received:
                if event is not None and event.kind == b"reasoning":
                    has_reasoning = True
                elif event is not None and event.is_terminal and not has_reasoning:
                    reply: Mapping[str, Any] = event.decode()["message"]
                    return reply
    except TimeoutError:
        pass
    return await _read_reply(turn)


async def events(
    turn: Turn,
    *,
    abort: Abort = noop,
    heartbeat_interval: float | None = None,
    is_whole: bool = True,
) -> AsyncGenerator[LogEvent | None]:
    """Yield the events of a turn, from `message.queued` to its end.

    `None` is yielded first, once the session is subscribed, and after each `heartbeat_interval`
    seconds without an event. It ends early if the process shuts down.

    is_whole: whether events that the log has lost are an error. Otherwise the events end there if
    the turn has ended.

    Raises:
        StreamTrimmed: the log no longer has all events of the turn.
        SessionNotFound, SessionExpired, SlowConsumer, RateLimited, StoreUnavailable
    """
    after = turn.queued_at - 1
    with session_events.subscribe(turn.caller, after=after, abort=abort) as subscriber:
        yield None
        received = session_events.events(
            subscriber, after=after, heartbeat_interval=heartbeat_interval
        )
        async with aclosing(received):
            async for item in received:
                for event in _select(turn, item, is_whole=is_whole):
                    yield event
                    if event is not None and event.is_terminal:
                        return
                if isinstance(item, Gap) and await _has_ended(turn):
                    return


def _select(
    turn: Turn, item: EventBatch | Gap | None, *, is_whole: bool
) -> Sequence[LogEvent | None]:
    """Return the events of the turn, or `None` for a heartbeat."""
    if item is None:
        return [None]
    if isinstance(item, EventBatch):
        message_id = turn.reply_id.encode()
        found = map(parse_event, item.events)
        return [each for each in found if each is not None and each.message_id == message_id]
    if is_whole:
        raise StreamTrimmed
    return []


async def _has_ended(turn: Turn) -> bool:
    return Status((await _read_reply(turn))["status"]).is_terminal


async def find_start(turn: Turn) -> int:
    """Return the seq of the turn's `message.queued`.

    Raises:
        StreamTrimmed: the log no longer has it.
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    return await asyncio.to_thread(_find_start, turn)


def _find_start(turn: Turn) -> int:
    after, message_id = 0, turn.reply_id.encode()
    while True:
        page = sessions.events(turn.caller, after=after)
        for each in page.events:
            event = parse_event(each)
            if event is not None and event.message_id == message_id:
                if event.kind != b"queued":
                    raise StreamTrimmed
                return event.seq
        after = page.earliest + len(page.events) - 1 if not after else after + len(page.events)
        if not page.events or after >= page.seq:
            raise StreamTrimmed


async def _read_reply(turn: Turn) -> Mapping[str, Any]:
    reply, _ = await asyncio.to_thread(messages.get_reply, turn.caller, turn.number)
    return reply


def heartbeat_interval() -> float:
    """Return the seconds between two comments in a stream without events."""
    return chat_settings.SSE_HEARTBEAT_INTERVAL
