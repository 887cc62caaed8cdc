"""Chat completions: each is a session with one turn, which lives for ten minutes."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any

from chat.conversation import files, repeats, turns
from chat.conversation.repeats import Attachment
from chat.domain import Accepted, Caller, Status, TurnExtras
from chat.domain.errors import ParleyError
from chat.openai_api.chat_chunks import ChatChunks
from chat.openai_api.chat_request import ChatRequest
from chat.openai_api.content import check_inputs
from chat.protocols.senders import Sender, admit, open_session
from chat.protocols.turn import MAX_WAIT, ReplyFailed, Turn, events, heartbeat_interval
from chat.realtime.close_codes import Abort
from chat.store.calls import Steps, gather

logger = logging.getLogger(__name__)

# Seconds that the session lives after its end.
TTL = 600
NAME = "Chat completion"
# Seconds after which the turn of a client that has disconnected is cancelled. Disconnecting is how
# clients stop a reply; a client that repeats its request attaches to the turn before.
CANCEL_DELAY = 5.0
HEARTBEAT = b":\n\n"


def start(
    request: ChatRequest, sender: Sender, attaching: Steps[Attachment]
) -> Steps[tuple[Turn, Attachment]]:
    """Accept the turn.

    attaching: attaches the request to the first one that is equal.

    Raises:
        as `sessions.create_session` and `turns.submit`
    """
    check_inputs(request.messages, request.model)
    attachment, _ = yield from gather(attaching, admit(sender))
    caller, accepted = yield from open_session(
        sender,
        partial(_submit, request, sender.request_id, attachment.key),
        key=attachment.key,
        name=NAME,
        system_prompt=request.system_prompt or None,
        model=request.model,
        ttl=TTL,
        is_listed=False,
    )
    return Turn.from_accepted(caller, accepted, {}), attachment


def _submit(request: ChatRequest, request_id: str, key: str, caller: Caller) -> Steps[Accepted]:
    messages = yield from files.store_messages.steps(caller, request.messages)
    question = messages[request.question]
    accepted = yield from turns.submit.steps(
        caller=caller,
        content=question.content,
        parts=question.parts,
        options=request.options,
        deadline=MAX_WAIT,
        key=key,
        request_id=request_id,
        extras=TurnExtras(messages=messages),
    )
    return accepted


async def stream(
    turn: Turn, chunks: ChatChunks, attachment: Attachment, abort: Abort
) -> AsyncGenerator[bytes]:
    """Yield the chunks of the reply; its error as an exception, if it comes first.

    The turn is cancelled later if the client disconnects.

    Raises:
        ReplyFailed: before any chunk.
        ParleyError: as `turn.events`.
    """
    has_ended = False
    try:
        received = events(turn, abort=abort, heartbeat_interval=heartbeat_interval())
        async with aclosing(received):
            await anext(received)
            async for event in received:
                if event is None:
                    yield chunks.role() or HEARTBEAT
                    continue
                if text := chunks.translate(event):
                    yield text
                if chunks.error is not None:
                    break
        has_ended = chunks.is_finished
        if chunks.error is not None:
            raise ReplyFailed(chunks.error)
    finally:
        if not has_ended:
            cancel_later(turn, attachment)


def cancel_later(turn: Turn, attachment: Attachment) -> None:
    """Cancel the turn after `CANCEL_DELAY`, unless an equal request has attached to it."""
    task = asyncio.get_running_loop().create_task(_cancel_later(turn, attachment))
    _cancellations.add(task)
    task.add_done_callback(_cancellations.discard)


# The event loop holds only weak references to tasks.
_cancellations: set[asyncio.Task[None]] = set()


async def _cancel_later(turn: Turn, attachment: Attachment) -> None:
    await asyncio.sleep(CANCEL_DELAY)
    try:
        await asyncio.to_thread(_cancel_if_last, turn, attachment)
    except ParleyError as error:
        logger.warning("%s: could not cancel: %s", turn.reply_id, error.code)


def _cancel_if_last(turn: Turn, attachment: Attachment) -> None:
    if repeats.is_last(attachment):
        turns.cancel(caller=turn.caller, message_id=turn.reply_id)


def is_open(reply: Mapping[str, Any]) -> bool:
    return not Status(reply["status"]).is_terminal
