"""HTTP calls to URLs that clients supply, such as webhooks, guarded against SSRF.

Such a URL may name a host that only this server can reach: itself, the private network, or a
cloud's metadata service. Therefore each connection resolves the host name once, every address must
be public, and the connection goes to one of the checked addresses. A name that resolves to another
host a moment later (DNS rebinding) changes nothing. The URL keeps its name, so the Host header and
TLS verification work as usual. Redirects and proxies are not followed.
"""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from chat.domain.errors import ForbiddenURL
from chat.domain.urls import Address, is_public, numeric_addresses, plain_host
from chat.env_parsers import parse_networks
from chat.http.cancellation import CancellableCall, current_call
from chat.http.connections import Pool, Resolve, TLSPool, resolve_name
from chat.http.loop_connection import AddressInfo
from chat.settings import chat_settings

SCHEMES = ("https", "http")


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
    host = plain_host(url, SCHEMES)
    if host is None or not all(map(is_allowed, numeric_addresses(host))):
        raise ForbiddenURL(param=param)


def is_allowed(address: Address) -> bool:
    """Return whether the address is public, or in a network that the settings allow."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    allowed_networks = parse_networks(
        "CHAT_WEBHOOK_ALLOWED_NETWORKS", chat_settings.WEBHOOK_ALLOWED_NETWORKS
    )
    return any(address in network for network in allowed_networks) or is_public(address)


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
