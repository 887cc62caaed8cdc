"""The limits on connections: of a web process, and of one address.

A process that has used up its file descriptors resets new connections, including those of probes,
and its orchestrator would kill it. So a connection beyond a limit is not closed: it can request
probes (`/live`), and other requests get an error.
"""

import resource
from collections import Counter
from collections.abc import Callable, Iterable

from chat.accounts import client_ip
from chat.settings import chat_settings

# Descriptors that Parley itself needs, at most: Redis, event loops, files.
OWN_DESCRIPTORS = 128
# Connections beyond a limit. A further one replaces the oldest.
MAX_SURPLUS = 64

Headers = Iterable[tuple[bytes, bytes]]


def raise_descriptor_limit() -> None:
    """Raise the soft limit on open files to the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def max_connections() -> int:
    """Return the limit of the process, which leaves descriptors for Parley and for probes."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    reserved = min(OWN_DESCRIPTORS + MAX_SURPLUS, descriptors // 2)
    return min(chat_settings.MAX_CONNECTIONS, descriptors - reserved)


def open_connections() -> int:
    """Return how many connections are open, WebSockets included."""
    return len(_connections)


def max_per_address() -> int:
    """Return the limit of one address: at most half of all connections."""
    return min(chat_settings.MAX_CONNECTIONS_PER_ADDRESS, max(1, max_connections() // 2))


class Connection:
    """One connection, and the address that it is counted for.

    That of a proxy is counted only during a request, for the client that sent it.
    """

    __slots__ = (
        "_has_too_many",
        "_is_counted",
        "abort",
        "address",
        "is_proxy",
        "is_surplus",
        "peer",
    )

    def __init__(self, peer: str, abort: Callable[[], None]) -> None:
        self.peer = peer
        self.abort = abort
        # The client of the latest request.
        self.address = client_ip.client_address({"REMOTE_ADDR": peer})
        self._is_counted = False
        # Whether requests on it come from other clients.
        self.is_proxy = client_ip.is_trusted(peer)
        # Whether its address had too many connections when it was opened.
        self._has_too_many = not (self.is_proxy or self._may_count())
        # Whether any limit was reached.
        self.is_surplus = not _connections.add(self, may_be_regular=not self._has_too_many)
        if not (self.is_proxy or self.is_surplus):
            self._count()

    def begin_request(self, headers: Headers) -> bool:
        """Return whether the client may send a request; count one that a proxy passes on."""
        if self._has_too_many or self._is_counted or not self.is_proxy:
            return not self._has_too_many
        self.address = client_ip.proxied_address(self.peer, headers)
        if not self._may_count():
            return False
        self._count()
        return True

    def end_request(self) -> None:
        if self.is_proxy:
            self._uncount()

    def close(self) -> None:
        """Count the connection no longer."""
        self._uncount()
        _connections.remove(self)

    def _may_count(self) -> bool:
        return _connections.by_address[self.address] < max_per_address()

    def _count(self) -> None:
        self._is_counted = True
        _connections.by_address[self.address] += 1

    def _uncount(self) -> None:
        if self._is_counted:
            self._is_counted = False
            _connections.by_address[self.address] -= 1
            if not _connections.by_address[self.address]:
                del _connections.by_address[self.address]


class _Connections:
    """The open connections of the process."""

    def __init__(self) -> None:
        self.by_address: Counter[str] = Counter()
        self._regular: set[Connection] = set()
        # Beyond a limit, the oldest first.
        self._surplus: dict[Connection, None] = {}

    def add(self, connection: Connection, *, may_be_regular: bool) -> bool:
        """Add a connection; return whether it is within the limits."""
        if may_be_regular and len(self._regular) < max_connections():
            self._regular.add(connection)
            return True
        self._surplus[connection] = None
        if len(self._surplus) > MAX_SURPLUS:
            oldest = next(iter(self._surplus))
            del self._surplus[oldest]
            oldest.abort()
        return False

    def remove(self, connection: Connection) -> None:
        self._regular.discard(connection)
        self._surplus.pop(connection, None)

    def __len__(self) -> int:
        return len(self._regular) + len(self._surplus)


_connections = _Connections()
