"""Sessions that one address, API key or user has opened: find them, and delete many at once."""

from collections.abc import Sequence

from chat.domain.bans import Subject, leading_bits
from chat.domain.identity import KEY_PREFIX
from chat.store import keys, quota
from chat.store.calls import Steps, ask_all, checked, store_call
from chat.store.scripts import call_with_delivery_keys
from chat.store.stored_addresses import hash_address

FIELDS = ("api_key", "owner", "addresses")


@store_call
def find_opened(session_ids: Sequence[str], subject: Subject) -> Steps[list[str]]:
    """Return those of the sessions that the subject has opened; one round trip.

    Raises:
        StoreUnavailable
    """
    replies = yield from ask_all(
        [("HMGET", keys.for_session(each).session, *FIELDS) for each in session_ids]
    )
    found = zip(session_ids, map(checked, replies), strict=True)
    return [
        session_id
        for session_id, fields in found
        if _is_opened_by(subject, *((field or b"").decode() for field in fields))
    ]


def _is_opened_by(subject: Subject, api_key: str, owner: str, addresses: str) -> bool:
    if subject.address:
        stored = addresses.split()
        hashes = {subject.address, hash_address(subject.address)}
        return bool(stored) and (
            not hashes.isdisjoint(stored) or contains(subject.address, stored[0])
        )
    return subject.name in {owner, KEY_PREFIX + api_key}


def contains(network: str, address: str) -> bool:
    """Return whether a client's address is in the network."""
    try:
        version, prefix, bits = leading_bits(network)
        own_version, own_prefix, own_bits = leading_bits(address)
    except ValueError:  # a Unix socket, or a hash
        return False
    if version != own_version or prefix > own_prefix:
        return False
    return own_bits >> (own_prefix - prefix) == bits


@store_call
def delete_many(session_ids: Sequence[str]) -> Steps[int]:
    """Delete the sessions with all their keys; return how many existed. Two round trips.

    Raises:
        StoreUnavailable: some may be left; the call can be repeated.
    """
    replies = yield from ask_all(
        [call_with_delivery_keys("delete", session_id, "") for session_id in session_ids]
    )
    ended = [
        (session_id, reply[1])
        for session_id, reply in zip(session_ids, map(checked, replies), strict=True)
        if reply[0] == b"DELETED"
    ]
    yield from quota.release.steps(ended)
    return len(ended)
