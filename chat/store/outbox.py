"""The outbox: webhook deliveries, from the end of a turn until they succeed or fail.

Pending deliveries outlive their session: they keep a copy of the event.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from chat.domain import (
    Caller,
    DeliveryAttempt,
    DeliveryGroup,
    DeliveryRecord,
    DeliveryResult,
    DeliveryStatus,
    DueDelivery,
)
from chat.domain.errors import InvalidRequest
from chat.settings import chat_settings, has_webhook
from chat.store import keys
from chat.store.calls import Steps, execute, reply_or_raise, send_all, send_script, store_call
from chat.store.client import execute_commands
from chat.store.due import claim_due_members
from chat.store.routing import Command
from chat.store.scripts import (
    ScriptCall,
    call_with_delivery_keys,
    milliseconds,
    read_script,
    script_call,
)


@store_call
def claim_due(partitions: Iterable[int] | None = None) -> Steps[list[tuple[str, int]]]:
    """Return session id and reply number of due deliveries of partitions, by default of all.

    Other workers skip them for about two sweep intervals.

    Raises:
        StoreUnavailable: Redis did not answer, or failed for every partition.
    """
    if partitions is None:
        partitions = range(chat_settings.PARTITIONS)
    due = yield from claim_due_members.steps([keys.outbox(partition) for partition in partitions])
    pairs = [member.rpartition(":") for member in due]
    return [(session_id, int(number)) for session_id, _, number in pairs]


@store_call
def get_many(pairs: Sequence[tuple[str, int]]) -> Steps[list[DueDelivery]]:
    """Return deliveries, given by session id and reply number, with their URL; one round trip.

    Raises:
        StoreUnavailable
    """
    commands: list[Command] = []
    for session_id, _ in pairs:
        own = keys.for_session(session_id)
        # The copy is needed if the session is deleted.
        commands += [
            ("HMGET", own.session, "webhook_url", "owner"),
            ("HGET", own.deliveries, "url"),
        ]
    replies = yield from send_all(commands)
    found = iter(map(reply_or_raise, replies))
    return [
        _due_delivery(*pair, live or copy or b"null", owner)
        for pair, (live, owner), copy in zip(pairs, found, found, strict=True)
    ]


def _due_delivery(session_id: str, number: int, webhook: bytes, owner: bytes | None) -> DueDelivery:
    return DueDelivery(
        session_id=session_id,
        number=number,
        url=orjson.loads(webhook),
        webhook=webhook,
        owner=owner.decode() if owner else session_id,
    )


@store_call
def postpone(deliveries: Iterable[DueDelivery], seconds: float) -> Steps[None]:
    """Skip pending deliveries for some seconds; one round trip.

    Raises:
        StoreUnavailable
    """
    members = defaultdict(list)
    for due in deliveries:
        own = keys.for_session(due.session_id)
        members[own.outbox, own.counts].append(f"{due.session_id}:{due.number}")
    script = read_script("delivery_postpone")
    calls = [
        ScriptCall(script, both, (milliseconds(seconds), *each)) for both, each in members.items()
    ]
    for reply in (yield from send_all(calls)):
        reply_or_raise(reply)


@store_call
def claim(due: DueDelivery, *, nonce: str, lease: float) -> Steps[DeliveryAttempt | None]:
    """Claim a delivery for `lease` seconds.

    `None` if it is finished, claimed or not due, or its URL has changed. The same nonce gets the
    same claim again.

    Raises:
        StoreUnavailable
    """
    session_id, number = due.session_id, due.number
    call = call_with_delivery_keys(
        "delivery_claim",
        session_id,
        number,
        nonce,
        milliseconds(lease),
        int(has_webhook()),
        due.webhook,
    )
    result = yield from send_script(call)
    if result[0] != b"CLAIMED":
        return None
    return DeliveryAttempt(
        session_id=session_id,
        number=number,
        nonce=nonce,
        attempt=result[1],
        now=result[2] / 1000,
        url=orjson.loads(result[3]),
        event=result[4],
        turn_attempt=orjson.loads(result[4])["message"]["attempt"],
        request_id=result[5].decode(),
    )


@store_call
def finish(delivery: DeliveryAttempt, result: DeliveryResult) -> Steps[bool]:
    """Record the result of an attempt; return false if its claim has timed out.

    If the receiver has disabled the session's webhook, the session loses it.

    Raises:
        StoreUnavailable
    """
    is_disabled = result.status is DeliveryStatus.DISABLED and delivery.url
    call = call_with_delivery_keys(
        "delivery_finish",
        delivery.session_id,
        delivery.number,
        delivery.nonce,
        result.status,
        result.code,
        milliseconds(result.delay),
        orjson.dumps(delivery.url if is_disabled else None),
    )
    is_recorded: bool = (yield from send_script(call))[0] == b"RECORDED"
    return is_recorded


def retry(caller: Caller, number: int) -> bool:
    """Schedule a new series of attempts; return false if an attempt is due or in progress.

    Raises:
        MessageNotFound: the reply has no delivery, or its text was deleted.
        InvalidRequest: neither the session nor the deployment has a webhook.
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    args = (caller.credential, number, int(has_webhook()))
    result = execute(call_with_delivery_keys("delivery_retry", caller.session_id, *args))
    if result[0] == b"NO_WEBHOOK":
        raise InvalidRequest("No webhook is configured.")
    is_scheduled: bool = result[0] == b"SCHEDULED"
    return is_scheduled


def list_deliveries(caller: Caller) -> Sequence[DeliveryRecord]:
    """Return the deliveries of the session, newest first.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    result = execute(script_call("delivery_list", caller.session_id, caller.credential))
    return sorted(map(_delivery_record, result[1:]), key=lambda record: -record.number)


def count_by_group() -> dict[DeliveryGroup, int]:
    """Return the number of deliveries in each group; one round trip.

    Of finished deliveries, only the newest are kept.

    Raises:
        StoreUnavailable
    """
    commands = [
        ("ZCARD", _group_key(group, partition))
        for group in DeliveryGroup
        for partition in range(chat_settings.PARTITIONS)
    ]
    sizes = execute_commands(commands)
    count = chat_settings.PARTITIONS
    return {group: sum(sizes[i * count : (i + 1) * count]) for i, group in enumerate(DeliveryGroup)}


def next_due(limit: int) -> list[tuple[str, DeliveryRecord]]:
    """Return session ids and deliveries of all sessions that are due next; two round trips.

    Raises:
        StoreUnavailable
    """
    due = _merge_partitions(DeliveryGroup.PENDING, limit)
    members = [member.rpartition(":") for member, _ in due]
    commands = [
        ("HGET", keys.for_session(session_id).deliveries, number)
        for session_id, _, number in members
    ]
    records = execute_commands(commands)
    return [
        (session_id, _parse_record(number, record))
        for (session_id, _, number), record in zip(members, records, strict=True)
        if record is not None
    ]


def latest_finished(group: DeliveryGroup, limit: int) -> list[tuple[str, DeliveryRecord]]:
    """Return session ids and the newest finished deliveries of a group; one round trip.

    Raises:
        StoreUnavailable
    """
    return [
        _parse_finished(member.split(" "), at) for member, at in _merge_partitions(group, limit)
    ]


def _group_key(group: DeliveryGroup, partition: int) -> str:
    if group is DeliveryGroup.PENDING:
        return keys.outbox(partition)
    delivered, failed = keys.finished_deliveries(partition)
    return delivered if group is DeliveryGroup.DELIVERED else failed


def _merge_partitions(group: DeliveryGroup, limit: int) -> list[tuple[str, float]]:
    """Return members and scores of all partitions: the next due, or the latest finished."""
    is_newest_first = group is not DeliveryGroup.PENDING
    command = "ZREVRANGE" if is_newest_first else "ZRANGE"
    commands = [
        (command, _group_key(group, partition), 0, limit - 1, "WITHSCORES")
        for partition in range(chat_settings.PARTITIONS)
    ]
    replies = execute_commands(commands)
    found = [
        (member.decode(), float(score))
        for reply in replies
        for member, score in zip(reply[::2], reply[1::2], strict=True)
    ]
    return sorted(found, key=lambda pair: pair[1], reverse=is_newest_first)[:limit]


def _parse_record(number: str, record: bytes) -> DeliveryRecord:
    """Parse a record; `lua/lib/outbox.lua` describes it."""
    status, attempts, due_at, at, code = record.split(b" ")[:5]
    return _delivery_record((number, status, int(attempts), int(due_at), at, code))


def _parse_finished(parts: Sequence[str], at: float) -> tuple[str, DeliveryRecord]:
    member, status, attempts, code = parts
    session_id, _, number = member.rpartition(":")
    record = _delivery_record((number, status.encode(), int(attempts), 0, at, code.encode()))
    return session_id, record


def _delivery_record(parts: Sequence[Any]) -> DeliveryRecord:
    number, status, attempts, due_at, at, code = parts
    return DeliveryRecord(
        number=int(number),
        status=DeliveryStatus(status.decode()),
        attempts=attempts,
        due_at=due_at / 1000,
        at=int(at) / 1000,
        code=code.decode().removeprefix("-"),
    )
