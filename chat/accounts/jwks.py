"""The keys of issuers: fetched, cached and rotated."""

import asyncio
import logging
import time
from functools import cache
from http import HTTPStatus
from threading import Lock, Thread

import orjson

from chat.accounts.public_keys import PublicKey, parse_jwks
from chat.domain.errors import ForbiddenURL, InvalidToken, IssuerUnavailable
from chat.http import ssrf
from chat.http.errors import READ_ERRORS, ConnectTimeout

logger = logging.getLogger(__name__)

# Seconds after which keys are fetched again. A key that its issuer removes works until then.
MAX_AGE = 300.0
# Seconds between two fetches, also if a JWT names an unknown key or the issuer is down.
MIN_INTERVAL = 10.0
# Seconds that a fetch may take, and that other requests wait for one that they need.
FETCH_TIMEOUT = 3.0
MAX_WAIT = 1.0
# Bytes of a key set.
MAX_BYTES = 256 * 1024

FETCH_ERRORS = (*READ_ERRORS, ConnectTimeout, ForbiddenURL, ValueError)


class KeySet:
    """The keys of one issuer. Threads share it; one at a time fetches.

    While the issuer is down, the keys that were fetched before are used.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str, PublicKey] = {}
        # By the monotonic clock.
        self._fetched_at = self._tried_at = float("-inf")
        self._lock = Lock()

    def get(self, kid: str) -> PublicKey:
        """Return the key with this id; "" means the only key of the issuer.

        Raises:
            InvalidToken: the issuer has no such key.
            IssuerUnavailable: its keys could not be fetched.
        """
        key = self._find(kid)
        if key is not None:
            if time.monotonic() - self._fetched_at > MAX_AGE and self._may_fetch:
                Thread(target=self._refresh, name="jwks", daemon=True).start()
            return key
        self._refresh()
        if (key := self._find(kid)) is not None:
            return key
        if self._fetched_at < self._tried_at or self._lock.locked():
            raise IssuerUnavailable
        raise InvalidToken("The JWT's issuer has no key with this kid.")

    def has(self, kid: str) -> bool:
        """Return whether `get` finds this key without a fetch."""
        return self._find(kid) is not None

    def _find(self, kid: str) -> PublicKey | None:
        if not kid and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    @property
    def _may_fetch(self) -> bool:
        return time.monotonic() - self._tried_at >= MIN_INTERVAL

    def _refresh(self) -> None:
        """Fetch the keys, or wait for the thread that does; do nothing if it is too early."""
        if not self._may_fetch and not self._lock.locked():
            return
        if not self._lock.acquire(timeout=MAX_WAIT):
            return
        try:
            if self._may_fetch:
                self._fetch()
        finally:
            self._lock.release()

    def _fetch(self) -> None:
        started = time.monotonic()
        try:
            self._keys = asyncio.run(fetch(self._url))
            self._fetched_at = self._tried_at = started
        except FETCH_ERRORS as error:
            self._tried_at = started
            logger.warning("Could not fetch the keys of %s: %s", self._url, type(error).__name__)


@cache
def key_set(url: str) -> KeySet:
    """Return the key set of this URL; a process has one."""
    return KeySet(url)


async def fetch(url: str) -> dict[str, PublicKey]:
    """Return the keys that an issuer publishes.

    Raises:
        ConnectTimeout, Disconnected, InvalidHTTP, OSError: the issuer did not answer in time.
        ForbiddenURL: the response is a redirect.
        ValueError: it is not a key set, or is too large.
    """
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "Parley"}
    body = bytearray()
    calling = ssrf.request("GET", url, headers, deadline=FETCH_TIMEOUT, is_trusted=True)
    async with calling as response:
        if response.status != HTTPStatus.OK:
            raise ValueError(f"status {response.status}")
        while data := await response.read():
            body += data
            if len(body) > MAX_BYTES:
                raise ValueError("the key set is too large")
    return parse_jwks(orjson.loads(body))
