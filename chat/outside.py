"""HTTP calls to URLs that came from outside, such as a client's webhook.

Such a URL may name a machine that only this one can reach: itself, the private network, or the
metadata of a cloud. So a name is resolved once for each connection, every address it has must be
a public one, and the connection goes to an address that was checked; a name that means another
machine a moment later changes nothing. The URL keeps its name, so Host and TLS are what they are
elsewhere. Redirects and proxies are not followed.
"""

import ipaddress
import re
import socket
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError

from chat.conf import knobs, networks
from chat.errors import ForbiddenURL

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


def session(*, resolve: Resolve | None = None) -> requests.Session:
    """Return a session whose calls raise `ForbiddenURL` where they would lead inside.

    Its answers are never redirects: one that is raises `ForbiddenURL`, too. `resolve` takes a name
    and a port and gives what `socket.getaddrinfo` does.
    """
    made = requests.Session()
    made.trust_env = False
    guard = Guard(resolve or _resolve)
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
    if any(address in network for network in networks(knobs.OUTSIDE_NETWORKS)):
        return True
    is_odd = any(address in network for network in _ODD)
    return address.is_global and not (address.is_multicast or address.is_reserved or is_odd)


class Guard(HTTPAdapter):
    """The adapter that such calls go through."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_Pool, resolve=self._resolve),
            "https": partial(_TLSPool, resolve=self._resolve),
        }

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Send it, to a checked address and nowhere else.

        Raises:
            ForbiddenURL: the URL leads inside, or the answer is a redirect.
        """
        check(request.url or "")
        response = super().send(request, **{**options, "proxies": None})
        if response.is_redirect:
            response.close()
            raise ForbiddenURL("The URL answers with a redirect, which is not followed.")
        return response


class _Connection(HTTPConnection):
    """Connects to the first address that lets it, when all of them may be called."""

    resolve: Resolve

    def _new_conn(self) -> socket.socket:
        failure: OSError | None = None
        for family, kind, protocol, _, address in self._checked():
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(_seconds(self.timeout))
                sock.connect(address)
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        raise NewConnectionError(self, f"no connection to {self.host}: {failure}") from failure

    def _checked(self) -> list[Found]:
        try:
            found = self.resolve(self._dns_host, self.port)
        except (OSError, UnicodeError) as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        if not all(is_allowed(ipaddress.ip_address(address[0])) for *_, address in found):
            raise ForbiddenURL
        return found


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection

    def __init__(self, *args: Any, resolve: Resolve, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._resolve = resolve

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.resolve = self._resolve
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
