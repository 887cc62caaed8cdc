"""The outbox: deliveries of ended turns to webhooks, from the act that ends a turn until they land.

It outlives sessions: what is pending when a session ends takes its event along.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from chat.conf import has_webhook, knobs
from chat.domain import Caller, Delivered, Delivery, DeliveryRecord, DeliveryStatus
from chat.errors import BadInput
from chat.store import keys
from chat.store.client import client, translated
from chat.store.due import held
from chat.store.scripts import run
from chat.store.sessions import answer, call


def sweep() -> list[tuple[str, int]]:
    """Return session and reply number of deliveries that are due, for this caller to look at.

    Raises:
        StoreUnavailable: Redis gave no answer, or refused for every partition.
    """
    due = held([keys.outbox(tag) for tag in range(knobs.PARTITIONS)])
    pairs = [member.rpartition(":") for member in due]
    return [(session_id, int(number)) for session_id, _, number in pairs]


def claim(session_id: str, number: int, *, nonce: str, lease: float) -> Delivery | None:
    """Take the right to try a delivery, for `lease` seconds; `None` when there is nothing to do.

    The same nonce again gives the same right again.

    Raises:
        StoreUnavailable
    """
    request = call(
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
    )


def finish(delivery: Delivery, result: Delivered) -> bool:
    """Note how a try went; false when it was too slow and another one counts.

    A session's own webhook that wants no more is taken from it.

    Raises:
        StoreUnavailable
    """
    is_over = result.status is DeliveryStatus.DISABLED and delivery.url
    request = call(
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
        BadInput: there is no webhook any more.
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    told = int(has_webhook())
    words = answer("delivery_again", caller.session_id, caller.token_hash, number, told)
    if words[0] == b"NO_WEBHOOK":
        raise BadInput("There is no webhook to tell.")
    is_new: bool = words[0] == b"AGAIN"
    return is_new


def records(caller: Caller) -> Sequence[DeliveryRecord]:
    """Return how the session's deliveries stand, the newest first.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    words = answer("delivery_list", caller.session_id, caller.token_hash)
    return sorted(map(_record, words[1:]), key=lambda it: -it.number)


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
