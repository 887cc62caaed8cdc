"""HTTP calls to URLs that clients supply, such as webhooks, guarded against SSRF.

Such a URL may name a host that only this server can reach: itself, the private network, or a
cloud's metadata service. Therefore each connection resolves the host name once, every address must
be public, and the connection goes to one of the checked addresses. A name that resolves to another
host a moment later (DNS rebinding) changes nothing. The URL keeps its name, so the Host header and
TLS verification work as usual. Redirects and proxies are not followed.
"""

import ipaddress
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from chat.domain.errors import ForbiddenURL
from chat.env_parsers import parse_networks
from chat.http.cancellation import CancellableCall, current_call
from chat.http.connections import Pool, Resolve, TLSPool, resolve_name
from chat.http.loop_connection import AddressInfo
from chat.settings import chat_settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

SCHEMES = ("https", "http")
# Characters of a URL.
MAX_CHARS = 2048

# No zone (`fe80::1%eth0`): it has a meaning on this machine only.
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
# Networks that some releases of Python report as public: protocol and site-local networks, and IPv6
# networks whose addresses embed IPv4 addresses (compatible, translated, Teredo, 6to4).
_NOT_PUBLIC = [
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "fec0::/10",
        "::/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
    )
]


@contextmanager
def session(
    *, deadline: float, is_trusted: bool = False, resolve: Resolve = resolve_name
) -> Iterator[requests.Session]:
    """Yield a session that calls public addresses only, and follows no redirects.

    deadline: seconds after which the session's calls are cancelled; is_trusted: the URL comes from
    the settings and may have any address.

    Raises:
        ForbiddenURL: from a call, if the URL has a forbidden address or the response is a redirect.
        TimeoutError: the deadline passed.
    """
    call = CancellableCall()
    adapter = GuardedAdapter(call, resolve, is_trusted=is_trusted)
    with requests.Session() as guarded, call.deadline(deadline):
        guarded.trust_env = False
        for scheme in SCHEMES:
            guarded.mount(f"{scheme}://", adapter)
        yield guarded


def check(url: str, *, param: str | None = None) -> None:
    """Check everything that the URL itself shows, without resolving its host name.

    Raises:
        ForbiddenURL: it is not http(s), contains a user name, or its host is a forbidden address.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ForbiddenURL(param=param) from error
    is_plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if len(url) > MAX_CHARS or not is_plain or parts.scheme not in SCHEMES or not host:
        raise ForbiddenURL(param=param)
    is_host = _HOST.fullmatch(host) and "@" not in parts.netloc
    if not is_host or not all(map(is_allowed, _numeric_addresses(host))):
        raise ForbiddenURL(param=param)


def is_allowed(address: Address) -> bool:
    """Return whether the address is public, or in a network that the settings allow."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    allowed_networks = parse_networks(
        "CHAT_WEBHOOK_ALLOWED_NETWORKS", chat_settings.WEBHOOK_ALLOWED_NETWORKS
    )
    if any(address in network for network in allowed_networks):
        return True
    if any(address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


class GuardedAdapter(HTTPAdapter):
    """Checks URLs, addresses and responses."""

    def __init__(self, call: CancellableCall, resolve: Resolve, *, is_trusted: bool) -> None:
        self._call = call
        self._resolve = resolve
        self._is_trusted = is_trusted
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(Pool, resolve=self._resolve_checked),
            "https": partial(TLSPool, resolve=self._resolve_checked),
        }

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Send a request to an allowed address, and follow no redirect.

        Raises:
            ForbiddenURL: the URL has a forbidden address, or the response is a redirect.
        """
        if not self._is_trusted:
            check(request.url or "")
        current_call.set(self._call)
        response = super().send(request, **{**options, "proxies": None})
        if response.is_redirect:
            response.close()
            raise ForbiddenURL("The URL answers with a redirect, which is not followed.")
        return response

    def _resolve_checked(self, host: str, port: int) -> list[AddressInfo]:
        """Return the addresses of a host if calls to all of them are allowed."""
        found = self._resolve(host, port)
        if self._is_trusted or all(
            is_allowed(ipaddress.ip_address(address[0])) for *_, address in found
        ):
            return found
        raise ForbiddenURL


def _numeric_addresses(host: str) -> list[Address]:
    """Return the address that `host` is in any notation (`127.1`, `0x7f000001`), else nothing."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(address[0]) for *_, address in found]
