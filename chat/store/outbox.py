"""The outbox: deliveries of ended turns to webhooks, from the act that ends a turn until they land.

It outlives sessions: what is pending when a session ends takes its event along.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from chat.domain import (
    Caller,
    Delivery,
    DeliveryRecord,
    DeliveryResult,
    DeliveryState,
    DeliveryStatus,
)
from chat.domain.errors import InvalidRequest
from chat.settings import chat_settings, has_webhook
from chat.store import keys
from chat.store.client import client, map_errors
from chat.store.due import claim_due_members
from chat.store.scripts import call_with_delivery_keys, execute, execute_call, run_script


def claim_due() -> list[tuple[str, int]]:
    """Return session and reply number of deliveries that are due, for this caller to look at.

    Raises:
        StoreUnavailable: Redis gave no answer, or refused for every partition.
    """
    due = claim_due_members([keys.outbox(tag) for tag in range(chat_settings.PARTITIONS)])
    pairs = [member.rpartition(":") for member in due]
    return [(session_id, int(number)) for session_id, _, number in pairs]


def claim(session_id: str, number: int, *, nonce: str, lease: float) -> Delivery | None:
    """Take the right to try a delivery, for `lease` seconds; `None` when there is nothing to do.

    The same nonce again gives the same right again.

    Raises:
        StoreUnavailable
    """
    request = call_with_delivery_keys(
        "delivery_claim", session_id, number, nonce, round(lease * 1000), int(has_webhook())
    )
    with map_errors():
        words = run_script(client(), request)
    if words[0] != b"CLAIMED":
        return None
    return Delivery(
        session_id=session_id,
        number=number,
        nonce=nonce,
        attempt=words[1],
        now=words[2] / 1000,
        url=orjson.loads(words[3]),
        event=words[4],
        turn_attempt=orjson.loads(words[4])["message"]["attempt"],
        request_id=words[5].decode(),
    )


def finish(delivery: Delivery, result: DeliveryResult) -> bool:
    """Note how a try went; false when it was too slow and another one counts.

    A session's own webhook that wants no more is taken from it.

    Raises:
        StoreUnavailable
    """
    is_over = result.status is DeliveryStatus.DISABLED and delivery.url
    request = call_with_delivery_keys(
        "delivery_finish",
        delivery.session_id,
        delivery.number,
        delivery.nonce,
        result.status,
        result.code,
        round(result.delay * 1000),
        orjson.dumps(delivery.url if is_over else None),
    )
    with map_errors():
        is_noted: bool = run_script(client(), request)[0] == b"RECORDED"
    return is_noted


def retry(caller: Caller, number: int) -> bool:
    """Have a delivery tried again from the beginning; false when it is being tried already.

    Raises:
        MessageNotFound: there was none for this reply, or its text is gone.
        InvalidRequest: there is no webhook any more.
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    told = int(has_webhook())
    words = execute_call(
        call_with_delivery_keys(
            "delivery_retry", caller.session_id, caller.token_hash, number, told
        )
    )
    if words[0] == b"NO_WEBHOOK":
        raise InvalidRequest("There is no webhook to tell.")
    is_new: bool = words[0] == b"SCHEDULED"
    return is_new


def list_deliveries(caller: Caller) -> Sequence[DeliveryRecord]:
    """Return how the session's deliveries stand, the newest first.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    words = execute("delivery_list", caller.session_id, caller.token_hash)
    return sorted(map(_delivery_record, words[1:]), key=lambda it: -it.number)


def count_by_state() -> dict[DeliveryState, int]:
    """Return how many deliveries stand in each state; of those that ended the newest are kept.

    One round trip.

    Raises:
        StoreUnavailable
    """
    pipeline: Any = client().pipeline(transaction=False)
    for state in DeliveryState:
        for tag in range(chat_settings.PARTITIONS):
            pipeline.zcard(_state_key(state, tag))
    with map_errors():
        found = pipeline.execute()
    size = chat_settings.PARTITIONS
    return {
        state: sum(found[place * size : (place + 1) * size])
        for place, state in enumerate(DeliveryState)
    }


def next_due(limit: int) -> list[tuple[str, DeliveryRecord]]:
    """Return the deliveries of all sessions that are due next, and whose they are.

    Two round trips.

    Raises:
        StoreUnavailable
    """
    due = _merge_partitions(DeliveryState.WAITING, limit)
    places = [member.rpartition(":") for member, _ in due]
    pipeline: Any = client().pipeline(transaction=False)
    for session_id, _, number in places:
        pipeline.hget(keys.for_session(session_id).deliveries, number)
    with map_errors():
        records = pipeline.execute()
    return [
        (session_id, _parse_record(number, record))
        for (session_id, _, number), record in zip(places, records, strict=True)
        if record is not None
    ]


def latest_finished(state: DeliveryState, limit: int) -> list[tuple[str, DeliveryRecord]]:
    """Return the newest deliveries of all sessions that came to this end, and whose they are.

    One round trip.

    Raises:
        StoreUnavailable
    """
    return [
        _parse_finished(member.split(" "), at) for member, at in _merge_partitions(state, limit)
    ]


def _state_key(state: DeliveryState, tag: int) -> str:
    if state is DeliveryState.WAITING:
        return keys.outbox(tag)
    delivered, failed = keys.finished_deliveries(tag)
    return delivered if state is DeliveryState.DELIVERED else failed


def _merge_partitions(state: DeliveryState, most: int) -> list[tuple[str, float]]:
    """Return the first of all partitions' lists: what is due soonest, or what ended last."""
    is_newest_first = state is not DeliveryState.WAITING
    pipeline: Any = client().pipeline(transaction=False)
    for tag in range(chat_settings.PARTITIONS):
        key = _state_key(state, tag)
        pipeline.zrange(key, 0, most - 1, desc=is_newest_first, withscores=True)
    with map_errors():
        found = [pair for answer in pipeline.execute() for pair in answer]
    found.sort(key=lambda pair: pair[1], reverse=is_newest_first)
    return [(member.decode(), score) for member, score in found[:most]]


def _parse_record(number: str, record: bytes) -> DeliveryRecord:
    """Return a record as `lua/lib/outbox.lua` keeps it."""
    status, attempts, free_at, at, code = record.split(b" ")[:5]
    return _delivery_record((number, status, int(attempts), int(free_at), at, code))


def _parse_finished(words: Sequence[str], at: float) -> tuple[str, DeliveryRecord]:
    place, status, attempts, code = words
    session_id, _, number = place.rpartition(":")
    record = _delivery_record((number, status.encode(), int(attempts), 0, at, code.encode()))
    return session_id, record


def _delivery_record(words: Sequence[Any]) -> DeliveryRecord:
    number, status, attempts, due, at, code = words
    return DeliveryRecord(
        number=int(number),
        status=DeliveryStatus(status.decode()),
        attempts=attempts,
        due_at=due / 1000,
        at=int(at) / 1000,
        code=code.decode().removeprefix("-"),
    )
