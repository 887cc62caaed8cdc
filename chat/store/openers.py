"""Who has opened a session, as labels of the index in `lua/lib/labels.lua`.

Each session has `ip:<address>`, and further labels as far as its opener has these: `net:<hash of an
IPv6 /48>`, `key:<API key>`, `tenant:<tenant>`, `user:<digest>`. IP addresses are in hex digits of
the same number, so that each network is a range of labels in lexical order. A session that the list
of its user's sessions leaves out has the label `unlisted`, too.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from chat.domain.bans import Subject, leading_bits
from chat.domain.identity import ADDRESS_PREFIX, KEY_PREFIX, TENANT_PREFIX, USER_PREFIX
from chat.settings import chat_settings
from chat.store import keys, quota
from chat.store.calls import Steps, reply_or_raise, send_all, store_call
from chat.store.client import execute_commands
from chat.store.scripts import call_with_delivery_keys
from chat.store.stored_addresses import HASH_PREFIX, hash_address

# Bits of a client's address that sessions keep, by IP version.
CLIENT_BITS = {4: 32, 6: 64}
# Bits of the addresses and networks of which sessions may keep hashes.
HASHED_BITS = {4: {32}, 6: {48, 64}}
NETWORK_PREFIX = "net:"
UNLISTED = "unlisted"
# Fields of a session that its labels follow from.
FIELDS = ("addresses", "api_key", "tenant", "owner", "unlisted")
# Sessions per partition and round trip, and partitions per round trip.
SCAN_COUNT = 500
PARTITIONS_PER_TRIP = 16


class LabelRange(NamedTuple):
    """All labels from the first to the last, in lexical order."""

    first: str
    last: str

    @property
    def bounds(self) -> tuple[str, str]:
        """The range of members, for ZRANGE BYLEX. "!" is the next character after " "."""
        return f"[{self.first} ", f"({self.last}!"

    def contains(self, label: str) -> bool:
        return self.first <= label <= self.last


def labels(addresses: str, api_key: str, tenant: str, owner: str, unlisted: str) -> tuple[str, ...]:
    """Return the labels of a session with these fields."""
    client, *networks = addresses.split() or [""]
    return (
        ADDRESS_PREFIX + _digits(client),
        *(NETWORK_PREFIX + each for each in networks if each.startswith(HASH_PREFIX)),
        *([KEY_PREFIX + api_key] if api_key else ()),
        *([TENANT_PREFIX + tenant] if tenant else ()),
        *([owner] if owner.startswith(USER_PREFIX) else ()),
        *([UNLISTED] if unlisted else ()),
    )


def _digits(address: str) -> str:
    try:
        version, prefix, bits = leading_bits(address)
    except ValueError:  # a Unix socket, a hash, or no address
        return address
    return f"{version}{bits:0{prefix // 4}x}"


def ranges(subject: Subject) -> tuple[LabelRange, ...]:
    """Return the ranges whose sessions the subject has opened; a session is in one of them."""
    if not subject.address:
        return (_only(subject.name),)
    if subject.address.startswith(HASH_PREFIX):
        return _hashed(subject.address)
    version, prefix, bits = leading_bits(subject.address)
    digits, free = CLIENT_BITS[version] // 4, CLIENT_BITS[version] - prefix
    first, last = bits << free, ((bits + 1) << free) - 1
    start = f"{ADDRESS_PREFIX}{version}"
    plain = LabelRange(f"{start}{first:0{digits}x}", f"{start}{last:0{digits}x}")
    return plain, *_hashed(hash_address(subject.address))


def _hashed(address: str) -> tuple[LabelRange, LabelRange]:
    return _only(ADDRESS_PREFIX + address), _only(NETWORK_PREFIX + address)


def _only(label: str) -> LabelRange:
    return LabelRange(label, label)


def is_searchable(address: str) -> bool:
    """Return whether sessions keep their addresses in a form in which this one can be found."""
    if chat_settings.STORE_ADDRESSES != "hashed":
        return bool(chat_settings.STORE_ADDRESSES == "plain")
    if address.startswith(HASH_PREFIX):
        return True
    version, prefix, _ = leading_bits(address)
    return prefix in HASHED_BITS[version]


def has_opened(subject: Subject, own_labels: Iterable[str]) -> bool:
    """Return whether the subject has opened the session that has these labels."""
    return any(each.contains(label) for each in ranges(subject) for label in own_labels)


def scan(subject: Subject) -> Iterator[list[str]]:
    """Yield the ids of the sessions that the subject has opened, in batches and in no order.

    Sessions may be deleted in between.

    Raises:
        StoreUnavailable
    """
    for label_range in ranges(subject):
        first, last = label_range.bounds
        for at in range(0, chat_settings.PARTITIONS, PARTITIONS_PER_TRIP):
            partitions = range(chat_settings.PARTITIONS)[at : at + PARTITIONS_PER_TRIP]
            # Partition -> where to continue.
            places = dict.fromkeys(partitions, first)
            while places:
                found = _read(places, last)
                members = chain.from_iterable(found.values())
                yield [member.rpartition(b" ")[2].decode() for member in members]
                places = {
                    partition: f"({members[-1].decode()}"
                    for partition, members in found.items()
                    if len(members) == SCAN_COUNT
                }


def _read(places: dict[int, str], last: str) -> dict[int, Sequence[bytes]]:
    limit = ("BYLEX", "LIMIT", 0, SCAN_COUNT)
    commands = [
        ("ZRANGE", keys.labels(partition), first, last, *limit)
        for partition, first in places.items()
    ]
    return dict(zip(places, execute_commands(commands), strict=True))


def is_index_complete() -> bool:
    """Return whether no session lacks its labels; earlier versions wrote none.

    Raises:
        StoreUnavailable
    """
    partitions = range(chat_settings.PARTITIONS)
    commands = [
        command
        for partition in partitions
        for command in (
            ("ZCARD", keys.by_activity(partition)),
            ("ZLEXCOUNT", keys.labels(partition), f"[{ADDRESS_PREFIX}", "(ip;"),
        )
    ]
    counts = execute_commands(commands)
    return all(map(int.__le__, counts[::2], counts[1::2]))


@store_call
def find_opened(session_ids: Sequence[str], subject: Subject) -> Steps[list[str]]:
    """Return those of the sessions that the subject has opened; one round trip.

    Raises:
        StoreUnavailable
    """
    replies = yield from send_all(
        [("HMGET", keys.for_session(each).session, *FIELDS) for each in session_ids]
    )
    return [
        session_id
        for session_id, reply in zip(session_ids, replies, strict=True)
        if has_opened(
            subject, labels(*((field or b"").decode() for field in reply_or_raise(reply)))
        )
    ]


@store_call
def delete_many(session_ids: Sequence[str]) -> Steps[int]:
    """Delete the sessions with all their keys; return how many existed. Two round trips.

    Raises:
        StoreUnavailable: some may be left; the call can be repeated.
    """
    replies = yield from send_all(
        [call_with_delivery_keys("delete", session_id, "") for session_id in session_ids]
    )
    ended = [
        (session_id, reply[1])
        for session_id, reply in zip(session_ids, map(reply_or_raise, replies), strict=True)
        if reply[0] == b"DELETED"
    ]
    yield from quota.release.steps(ended)
    return len(ended)
