"""The outbox: deliveries of ended turns to webhooks, from the act that ends a turn until they land.

It outlives sessions: what is pending when a session ends takes its event along.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from chat.domain import Caller, Delivered, Delivery, DeliveryRecord, DeliveryState, DeliveryStatus
from chat.domain.errors import InvalidRequest
from chat.settings import chat_settings, has_webhook
from chat.store import keys
from chat.store.calls import answer, answered, postal
from chat.store.client import client, translated
from chat.store.due import held
from chat.store.scripts import run


def sweep() -> list[tuple[str, int]]:
    """Return session and reply number of deliveries that are due, for this caller to look at.

    Raises:
        StoreUnavailable: Redis gave no answer, or refused for every partition.
    """
    due = held([keys.outbox(tag) for tag in range(chat_settings.PARTITIONS)])
    pairs = [member.rpartition(":") for member in due]
    return [(session_id, int(number)) for session_id, _, number in pairs]


def claim(session_id: str, number: int, *, nonce: str, lease: float) -> Delivery | None:
    """Take the right to try a delivery, for `lease` seconds; `None` when there is nothing to do.

    The same nonce again gives the same right again.

    Raises:
        StoreUnavailable
    """
    request = postal(
        "delivery_claim", session_id, number, nonce, round(lease * 1000), int(has_webhook())
    )
    with translated():
        words = run(client(), request)
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


def finish(delivery: Delivery, result: Delivered) -> bool:
    """Note how a try went; false when it was too slow and another one counts.

    A session's own webhook that wants no more is taken from it.

    Raises:
        StoreUnavailable
    """
    is_over = result.status is DeliveryStatus.DISABLED and delivery.url
    request = postal(
        "delivery_finish",
        delivery.session_id,
        delivery.number,
        delivery.nonce,
        result.status,
        result.code,
        round(result.delay * 1000),
        orjson.dumps(delivery.url if is_over else None),
    )
    with translated():
        is_noted: bool = run(client(), request)[0] == b"NOTED"
    return is_noted


def again(caller: Caller, number: int) -> bool:
    """Have a delivery tried again from the beginning; false when it is being tried already.

    Raises:
        MessageNotFound: there was none for this reply, or its text is gone.
        InvalidRequest: there is no webhook any more.
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    told = int(has_webhook())
    words = answered(postal("delivery_again", caller.session_id, caller.token_hash, number, told))
    if words[0] == b"NO_WEBHOOK":
        raise InvalidRequest("There is no webhook to tell.")
    is_new: bool = words[0] == b"AGAIN"
    return is_new


def records(caller: Caller) -> Sequence[DeliveryRecord]:
    """Return how the session's deliveries stand, the newest first.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    words = answer("delivery_list", caller.session_id, caller.token_hash)
    return sorted(map(_record, words[1:]), key=lambda it: -it.number)


def counts() -> dict[DeliveryState, int]:
    """Return how many deliveries stand in each state; of those that ended the newest are kept.

    One round trip.

    Raises:
        StoreUnavailable
    """
    pipeline: Any = client().pipeline(transaction=False)
    for state in DeliveryState:
        for tag in range(chat_settings.PARTITIONS):
            pipeline.zcard(_list_of(state, tag))
    with translated():
        found = pipeline.execute()
    size = chat_settings.PARTITIONS
    return {
        state: sum(found[place * size : (place + 1) * size])
        for place, state in enumerate(DeliveryState)
    }


def waiting(most: int) -> list[tuple[str, DeliveryRecord]]:
    """Return the deliveries of all sessions that are due next, and whose they are.

    Two round trips.

    Raises:
        StoreUnavailable
    """
    due = _merged(DeliveryState.WAITING, most)
    places = [member.rpartition(":") for member, _ in due]
    pipeline: Any = client().pipeline(transaction=False)
    for session_id, _, number in places:
        pipeline.hget(keys.of(session_id).deliveries, number)
    with translated():
        records = pipeline.execute()
    return [
        (session_id, _stored(number, record))
        for (session_id, _, number), record in zip(places, records, strict=True)
        if record is not None
    ]


def ended(state: DeliveryState, most: int) -> list[tuple[str, DeliveryRecord]]:
    """Return the newest deliveries of all sessions that came to this end, and whose they are.

    One round trip.

    Raises:
        StoreUnavailable
    """
    return [_ended(member.split(" "), at) for member, at in _merged(state, most)]


def _list_of(state: DeliveryState, tag: int) -> str:
    if state is DeliveryState.WAITING:
        return keys.outbox(tag)
    delivered, failed = keys.ended(tag)
    return delivered if state is DeliveryState.DELIVERED else failed


def _merged(state: DeliveryState, most: int) -> list[tuple[str, float]]:
    """Return the first of all partitions' lists: what is due soonest, or what ended last."""
    is_newest_first = state is not DeliveryState.WAITING
    pipeline: Any = client().pipeline(transaction=False)
    for tag in range(chat_settings.PARTITIONS):
        key = _list_of(state, tag)
        pipeline.zrange(key, 0, most - 1, desc=is_newest_first, withscores=True)
    with translated():
        found = [pair for answer in pipeline.execute() for pair in answer]
    found.sort(key=lambda pair: pair[1], reverse=is_newest_first)
    return [(member.decode(), score) for member, score in found[:most]]


def _stored(number: str, record: bytes) -> DeliveryRecord:
    """Return a record as `lua/lib/outbox.lua` keeps it."""
    status, attempts, free_at, at, code = record.split(b" ")[:5]
    return _record((number, status, int(attempts), int(free_at), at, code))


def _ended(words: Sequence[str], at: float) -> tuple[str, DeliveryRecord]:
    place, status, attempts, code = words
    session_id, _, number = place.rpartition(":")
    record = _record((number, status.encode(), int(attempts), 0, at, code.encode()))
    return session_id, record


def _record(words: Sequence[Any]) -> DeliveryRecord:
    number, status, attempts, due, at, code = words
    return DeliveryRecord(
        number=int(number),
        status=DeliveryStatus(status.decode()),
        attempts=attempts,
        due_at=due / 1000,
        at=int(at) / 1000,
        code=code.decode().removeprefix("-"),
    )
