"""Bans in Redis, and the copy of them that each process checks in memory.

A thread refreshes the copy once a second, so requests take no round trip for it. While a key or a
user is banned, a process reads once who has opened a session, when a client first uses its token.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from threading import Lock, Thread

import orjson
from redis.exceptions import ResponseError

from chat.domain import Caller, Principal
from chat.domain.bans import Ban, BanList
from chat.domain.errors import StoreFull, StoreUnavailable
from chat.domain.identity import ADDRESS_PREFIX, KEY_PREFIX
from chat.domain.ids import random_id
from chat.store import keys
from chat.store.calls import Steps, reply_or_raise, send_all, store_call
from chat.store.client import execute_command
from chat.store.stored_addresses import hash_address

logger = logging.getLogger(__name__)

# Seconds between two refreshes.
REFRESH_INTERVAL = 1.0
# Seconds without a request after which a process reads the bans no longer.
MAX_IDLE = 10.0
# Seconds after which a ban that has expired is removed. Until then it is listed.
KEPT_AFTER_EXPIRY = 86400
# The field of the hash that changes with each change of a ban.
VERSION = "version"
# Members of a stored ban that this version knows.
KNOWN_FIELDS = {field.name for field in fields(Ban)}
# Sessions whose openers a process remembers.
MAX_OPENERS = 10_000


def add(ban: Ban) -> None:
    """Add a ban, or replace that of the same subject.

    Raises:
        StoreFull, StoreUnavailable
    """
    gone = [each.subject for each in all_bans() if _is_over(each) and each.subject != ban.subject]
    pairs = (ban.subject, orjson.dumps(asdict(ban)), VERSION, random_id())
    execute_command("HSET", keys.bans(), *pairs)
    if gone:
        execute_command("HDEL", keys.bans(), *gone)


def remove(subject: str) -> bool:
    """Remove the ban of a subject; return whether there was one.

    Raises:
        StoreUnavailable
    """
    exists = any(ban.subject == subject for ban in all_bans())
    execute_command("HDEL", keys.bans(), subject, VERSION)
    with suppress(StoreFull):  # without a version, all processes read the bans
        execute_command("HSET", keys.bans(), VERSION, random_id())
    return exists


def all_bans() -> list[Ban]:
    """Return all bans, the newest first, and those that have expired within the last day.

    Raises:
        StoreUnavailable
    """
    found = execute_command("HGETALL", keys.bans())
    pairs = zip(found[::2], found[1::2], strict=True)
    bans = [_parse(stored) for name, stored in pairs if name != VERSION.encode()]
    return sorted(bans, key=lambda ban: -ban.created_at)


def _is_over(ban: Ban) -> bool:
    return not ban.is_active(time.time() - KEPT_AFTER_EXPIRY)


def _parse(stored: bytes) -> Ban:
    known = {name: value for name, value in orjson.loads(stored).items() if name in KNOWN_FIELDS}
    return Ban(**known)


class BanCopy:
    """The bans as this process knows them. While they are in use, a thread refreshes them."""

    def __init__(self) -> None:
        self._bans = BanList()
        self._version: bytes | None = b""  # not read yet
        self._is_running = False
        self._has_failed = False
        # `time.monotonic()`
        self._used_at = 0.0
        self._lock = Lock()

    def current(self) -> BanList:
        """Return the bans. Only the first call waits for Redis, or that after a long pause."""
        self._used_at = time.monotonic()
        if not self._is_running:
            with self._lock:
                if not self._is_running:
                    self.refresh()
                    self._is_running = True
                    Thread(target=self._run, name="bans", daemon=True).start()
        return self._bans

    def _run(self) -> None:
        try:
            with suppress(ResponseError):  # the next request repeats the call and reports the error
                while time.monotonic() - self._used_at < MAX_IDLE:
                    time.sleep(REFRESH_INTERVAL)
                    self.refresh()
        finally:
            self._is_running = False

    def refresh(self) -> None:
        """Read the bans if they have changed; keep what is known if Redis does not answer."""
        try:
            version = execute_command("HGET", keys.bans(), VERSION)
            if version != self._version or (version is None and len(self._bans)):
                self._bans, self._version = BanList(all_bans()), version
            self._has_failed = False
        except StoreUnavailable as error:
            if not self._has_failed:
                logger.warning("Could not read the bans: %s", error.__cause__)
            self._has_failed = True


# The copy of this process.
ban_copy = BanCopy()
# Session and hash of its token -> who has opened the session.
_openers: dict[tuple[str, str], tuple[str, ...]] = {}


def need_openers() -> bool:
    """Return whether a session's token must be checked, which may take a round trip."""
    return ban_copy.current().has_openers


def find_address(address: str) -> Ban | None:
    """Return the ban of a client's address."""
    return _find_address(ban_copy.current(), address, time.time())


def _find_address(bans: BanList, address: str, now: float) -> Ban | None:
    found = bans.find_address(address, now)
    if found is None and bans.has_hashes:
        found = bans.find([ADDRESS_PREFIX + hash_address(address)], now)
    return found


def find_principal(principal: Principal) -> Ban | None:
    """Return the ban of an API key or a user."""
    bans = ban_copy.current()
    return bans.find(_names(principal), time.time()) if bans.has_openers else None


@store_call
def find_callers(callers: Sequence[Caller]) -> Steps[list[Ban | None]]:
    """Return the ban of each caller; at most one round trip.

    That of a session's token is the ban of the key or user who has opened the session.

    Raises:
        StoreUnavailable
    """
    bans, now = ban_copy.current(), time.time()
    if not len(bans):
        return [None] * len(callers)
    if bans.has_openers:
        yield from _read_openers(callers)
    return [
        _find_address(bans, caller.address, now) or bans.find(_subjects(caller), now)
        for caller in callers
    ]


def _subjects(caller: Caller) -> Iterable[str]:
    if caller.principal is not None:
        return _names(caller.principal)
    return _openers.get((caller.session_id, caller.credential), ())


def _names(principal: Principal) -> tuple[str, ...]:
    owner = principal.identity().owner
    return (f"{KEY_PREFIX}{principal.api_key}", owner) if principal.api_key else (owner,)


def _read_openers(callers: Iterable[Caller]) -> Steps[None]:
    """Remember who has opened the sessions of these tokens, unless a token is wrong."""
    tokens = {
        (caller.session_id, caller.credential) for caller in callers if caller.principal is None
    }
    new = list(tokens - _openers.keys())
    if len(_openers) + len(new) > MAX_OPENERS:
        _openers.clear()
        new = list(tokens)
    fields_ = ("token_hash", "api_key", "owner")
    replies = yield from send_all(
        [("HMGET", keys.for_session(session_id).session, *fields_) for session_id, _ in new]
    )
    for (session_id, credential), reply in zip(new, replies, strict=True):
        token_hash, api_key, owner = reply_or_raise(reply)
        if token_hash is not None and token_hash.decode() == credential:
            names = (KEY_PREFIX.encode() + api_key if api_key else b"", owner or b"")
            # The address that opened it is not the client's.
            _openers[session_id, credential] = tuple(
                name.decode() for name in names if name and not _is_address(name)
            )


def _is_address(name: bytes) -> bool:
    return name.startswith(ADDRESS_PREFIX.encode())
