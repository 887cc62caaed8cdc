"""HTTP calls to URLs that came from outside, such as a client's webhook.

Such a URL may name a machine that only this one can reach: itself, the private network, or the
metadata of a cloud. So a name is resolved once for each connection, every address it has must be
a public one, and the connection goes to an address that was checked; a name that means another
machine a moment later changes nothing. The URL keeps its name, so Host and TLS are what they are
elsewhere. Redirects and proxies are not followed.
"""

import ipaddress
import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError

from chat.domain.errors import ForbiddenURL
from chat.env_parsers import parse_networks
from chat.settings import chat_settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Found = tuple[int, int, int, str, tuple[Any, ...]]
Resolve = Callable[[str, int], list[Found]]

SCHEMES = ("https", "http")
MOST_CHARS = 2048
"""Longest URL, in characters."""

_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
"""What a host looks like; no zone (`fe80::1%eth0`), which only means something on this machine."""
_ODD = [
    ipaddress.ip_network(text)
    for text in (
        *("192.0.0.0/24", "192.88.99.0/24", "fec0::/10"),
        *("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"),
    )
]
"""Networks that some releases of Python take for public ones: of protocols and sites, and those of
IPv6 whose addresses hide one of IPv4 (compatible, translated, Teredo, 6to4)."""


def session(*, resolve: Resolve | None = None, is_trusted: bool = False) -> requests.Session:
    """Return a session whose calls raise `ForbiddenURL` where they would lead inside.

    Its answers are never redirects: one that is raises `ForbiddenURL`, too. `resolve` takes a name
    and a port and gives what `socket.getaddrinfo` does. is_trusted: the URL stands in the settings
    and may lead anywhere.
    """
    made = requests.Session()
    made.trust_env = False
    guard = Guard(resolve or _resolve, is_trusted=is_trusted)
    for scheme in SCHEMES:
        made.mount(f"{scheme}://", guard)
    return made


def check(url: str, *, param: str | None = None) -> None:
    """Refuse early what can be refused by looking at the URL; its name is not resolved yet.

    Raises:
        ForbiddenURL: it is not http(s), holds a user's name, or its host is a forbidden address.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ForbiddenURL(param=param) from error
    is_plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if len(url) > MOST_CHARS or not is_plain or parts.scheme not in SCHEMES or not host:
        raise ForbiddenURL(param=param)
    is_named = _HOST.fullmatch(host) and "@" not in parts.netloc
    if not is_named or not all(map(is_allowed, _as_numbers(host))):
        raise ForbiddenURL(param=param)


def is_allowed(address: Address) -> bool:
    """Whether calls may go there: it is public, or the settings name its network."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(
        address in network for network in parse_networks(chat_settings.WEBHOOK_ALLOWED_NETWORKS)
    ):
        return True
    is_odd = any(address in network for network in _ODD)
    return address.is_global and not (address.is_multicast or address.is_reserved or is_odd)


class Guard(HTTPAdapter):
    """The adapter that such calls go through."""

    def __init__(self, resolve: Resolve, *, is_trusted: bool = False) -> None:
        self._resolve = resolve
        self._is_trusted = is_trusted
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_Pool, find=self._find),
            "https": partial(_TLSPool, find=self._find),
        }

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Send it, to a checked address and nowhere else.

        Raises:
            ForbiddenURL: the URL leads inside, or the answer is a redirect.
        """
        if not self._is_trusted:
            check(request.url or "")
        response = super().send(request, **{**options, "proxies": None})
        if response.is_redirect:
            response.close()
            raise ForbiddenURL("The URL answers with a redirect, which is not followed.")
        return response

    def _find(self, host: str, port: int) -> list[Found]:
        """Return the addresses of a name when all of them may be called."""
        found = self._resolve(host, port)
        if self._is_trusted or all(
            is_allowed(ipaddress.ip_address(address[0])) for *_, address in found
        ):
            return found
        raise ForbiddenURL


class _Deadline:
    """The end of a call, which shuts its connections down whatever is waited for."""

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._twins: list[socket.socket] = []
        """The connections under descriptors of their own, which nobody else closes."""
        self.has_passed = False

    def left(self) -> float:
        """Return the seconds that are left, some at least: 0 would mean something else."""
        return max(0.001, self._ends_at - time.monotonic())

    def lend(self, sock: socket.socket) -> None:
        """Have this connection shut down in time."""
        with self._lock:
            self._twins.append(sock.dup())
        if self.has_passed:
            self.shut()

    def shut(self) -> None:
        """Shut all of them down."""
        self.has_passed = True
        with self._lock:
            for twin in self._twins:
                with suppress(OSError):  # the other side was faster
                    twin.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the descriptors back."""
        with self._lock:
            while self._twins:
                self._twins.pop().close()


class _Calling(threading.local):
    deadline: _Deadline | None = None


_calling = _Calling()
"""The deadline of this thread's call; the only way through requests and urllib3."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """End the calls of these sessions that this thread makes meanwhile when so much time is over.

    The timeout of a call bounds each single wait: whoever drips a byte now and then goes on for
    ever. A look-up of a name cannot be interrupted.

    Raises:
        requests.Timeout: a call was ended.
    """
    deadline = _calling.deadline = _Deadline(seconds)
    timer = threading.Timer(seconds, deadline.shut)
    timer.daemon = True
    timer.start()
    try:
        yield
        # An answer whose headers were cut off passes for a whole one.
        if deadline.has_passed:
            raise requests.Timeout
    except requests.RequestException as error:
        if deadline.has_passed:
            raise requests.Timeout from error
        raise
    finally:
        timer.cancel()
        _calling.deadline = None
        deadline.close()


class _Connection(HTTPConnection):
    """Connects to the first address that lets it, when all of them may be called."""

    find: Resolve

    def _new_conn(self) -> socket.socket:
        failure: OSError | None = None
        for family, kind, protocol, _, address in self._checked():
            sock = socket.socket(family, kind, protocol)
            try:
                self._connect(sock, address)
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        raise NewConnectionError(self, f"no connection to {self.host}: {failure}") from failure

    def _connect(self, sock: socket.socket, address: tuple[Any, ...]) -> None:
        timeout = _seconds(self.timeout)
        if deadline := _calling.deadline:
            timeout = min(deadline.left(), timeout or math.inf)
        sock.settimeout(timeout)
        sock.connect(address)
        if deadline:
            sock.settimeout(_seconds(self.timeout))
            deadline.lend(sock)

    def _checked(self) -> list[Found]:
        try:
            return self.find(self._dns_host, self.port)
        except (OSError, UnicodeError) as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection

    def __init__(self, *args: Any, find: Resolve, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._find = find

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.find = self._find
        return connection


class _TLSPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


def _seconds(timeout: Any) -> float | None:
    return float(timeout) if isinstance(timeout, int | float) else None


def _resolve(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _as_numbers(host: str) -> list[Address]:
    """Return the address that a host is, in any way of writing one (`127.1`, `0x7f000001`)."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(address[0]) for *_, address in found]
