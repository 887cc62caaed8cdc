"""Rate limits of reads by session, and by user or address; and of messages by user.

They protect the CPU and memory of one web process, so each process counts separately.
A poll needs no command of Redis for them.
"""

from collections.abc import Callable, Mapping

from chat.accounts.client_ip import client_address
from chat.domain import Caller, Identity, Principal
from chat.domain.errors import RateLimited
from chat.domain.rates import RateLimiter
from chat.settings import chat_settings

# The burst is this part of the limit per minute.
BURST_SHARE = 20
# Limiters after which those without recent calls are removed.
MAX_LIMITERS = 10_000


class ReadLimit:
    """One limiter for each client.

    per_minute: returns the limit; 0 for none. calls: what it limits.
    """

    def __init__(self, per_minute: Callable[[], int], *, calls: str = "reads") -> None:
        self._per_minute = per_minute
        self._calls = calls
        self._limiters: dict[str, RateLimiter] = {}

    def __len__(self) -> int:
        """Return how many clients have a limiter."""
        return len(self._limiters)

    def check(self, client_id: str) -> None:
        """Count a call.

        Raises:
            RateLimited: the client calls too often.
        """
        limiter = self._limiters.get(client_id) or self._add(client_id)
        if not limiter.allow():
            raise self._error()

    def charge(self, client_id: str, calls: int) -> None:
        """Count calls that were made, whether or not they were allowed."""
        (self._limiters.get(client_id) or self._add(client_id)).charge(calls)

    def check_only(self, client_id: str) -> None:
        """Count nothing.

        Raises:
            RateLimited: the client has called too often.
        """
        limiter = self._limiters.get(client_id)
        if limiter is not None and limiter.is_exhausted:
            raise self._error()

    def _error(self) -> RateLimited:
        return RateLimited(f"Too many {self._calls}.", retry_after=1)

    def _add(self, client_id: str) -> RateLimiter:
        if len(self._limiters) >= MAX_LIMITERS:
            self._remove_idle()
        per_minute = self._per_minute()
        limiter = RateLimiter(per_minute=per_minute, burst=max(1, per_minute // BURST_SHARE))
        self._limiters[client_id] = limiter
        return limiter

    def _remove_idle(self) -> None:
        active = {name: each for name, each in self._limiters.items() if not each.is_idle}
        self._limiters = active if len(active) < MAX_LIMITERS else {}


_by_session = ReadLimit(lambda: chat_settings.READS_PER_MINUTE)
_by_address = ReadLimit(lambda: chat_settings.ADDRESS_READS_PER_MINUTE)


_by_user = ReadLimit(lambda: chat_settings.USER_READS_PER_MINUTE)
_by_tenant = ReadLimit(lambda: chat_settings.TENANT_READS_PER_MINUTE)


_messages_by_user = ReadLimit(lambda: chat_settings.USER_MESSAGES_PER_MINUTE, calls="messages")
_messages_by_tenant = ReadLimit(lambda: chat_settings.TENANT_MESSAGES_PER_MINUTE, calls="messages")


# Clients behind one address have many reads, but few requests that are rejected.
REJECTED_SHARE = 4
_rejected = ReadLimit(
    lambda: -(-chat_settings.ADDRESS_READS_PER_MINUTE // REJECTED_SHARE), calls="rejected requests"
)
# A rejected body of this size counts as another request.
REJECTED_BYTES = 16 * 1024
# The size that a client declares may be any number.
MAX_REJECTED_BYTES = 512 * 1024


def check_rejected(address: str) -> None:
    """Check a request before anything of it is read.

    Raises:
        RateLimited: too many requests of the address were rejected.
    """
    _rejected.check_only(address)


def count_rejected(address: str, body_bytes: int) -> None:
    """Count a request that was rejected, by the size of its body.

    Others count as reads or changes. A rejected one costs time as well. A client that ignores
    429 is soon rejected before its requests are read.
    """
    _rejected.charge(address, 1 + min(body_bytes, MAX_REJECTED_BYTES) // REJECTED_BYTES)


def check_message(principal: Principal) -> None:
    """Count a message that an API key or JWT posts to any session.

    Raises:
        RateLimited: the user, or all users of the tenant together, post too often.
    """
    identity = principal.identity()
    if principal.user:
        _messages_by_user.check(identity.owner)
    _messages_by_tenant.check(identity.party)


def check_principal(principal: Principal) -> None:
    """Count a read of an API key or JWT, whichever addresses it comes from.

    Raises:
        RateLimited: the user, or all users of the tenant together, read too often.
    """
    check_user(principal)
    check_party(principal.identity())


def check_user(principal: Principal) -> None:
    """Count a read of the principal's user only, if it has one.

    Raises:
        RateLimited: the user reads too often.
    """
    if principal.user:
        _by_user.check(principal.identity().owner)


def check_party(identity: Identity) -> None:
    """Count a read of all users of a tenant together.

    Raises:
        RateLimited: they read too often.
    """
    _by_tenant.check(identity.party)


def check_address(address: str) -> None:
    """Count a read of a client's address only.

    Raises:
        RateLimited: the address reads too often.
    """
    _by_address.check(address)


def check_client(client: Caller | Principal, meta: Mapping[str, str]) -> None:
    """Count a read of a principal, or of the caller's session.

    Raises:
        RateLimited
    """
    if isinstance(client, Principal):
        check_principal(client)
    else:
        check_read(client, meta)


def check_read(caller: Caller, meta: Mapping[str, str]) -> None:
    """Count a read of the caller's session; as `check_caller`."""
    check_caller(caller, client_address(meta))


def check_caller(caller: Caller, address: str) -> None:
    """Count a read of the caller's session.

    Each credential is counted separately: the caller's is not checked yet, and a stranger who knows
    the session's id must not use up the reads of its owner.

    Raises:
        RateLimited: the session, and the principal or else the client's address, reads too often.
    """
    if caller.principal is None:
        _by_address.check(address)
    else:
        check_principal(caller.principal)
    _by_session.check(f"{caller.session_id} {caller.credential}")
