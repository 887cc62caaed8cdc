"""HTTP calls to URLs that clients supply, such as webhooks, guarded against SSRF.

Such a URL may name a host that only this server can reach: itself, the private network, or a
cloud's metadata service. Therefore each connection resolves the host name once, every address must
be public, and the connection goes to one of the checked addresses. A name that resolves to another
host a moment later (DNS rebinding) changes nothing. The URL keeps its name, so the Host header and
TLS verification work as usual. Redirects and proxies are not followed.
"""

import asyncio
import ipaddress
import ssl
from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from chat.domain.errors import ForbiddenURL
from chat.domain.urls import Address, is_public, numeric_addresses, plain_host
from chat.env_parsers import parse_networks
from chat.http.client import HTTPClient, Response
from chat.http.lookups import lookup_threads
from chat.http.loop_connection import AddressInfo, Resolve
from chat.settings import chat_settings

SCHEMES = ("https", "http")
_REDIRECTS = {
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
}


@asynccontextmanager
async def request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
    *,
    deadline: float,
    is_trusted: bool = False,
    resolve: Resolve = lookup_threads.resolve,
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[Response]:
    """Send a request to a public address on a separate connection, and yield the response.

    deadline: seconds for everything, including what is read of the response; is_trusted: the URL
    comes from the settings: it may have any address, and a user and password.

    Raises:
        ForbiddenURL: the URL has a forbidden address, or the response is a redirect.
        TimeoutError: the deadline passed.
        ConnectTimeout, Disconnected, InvalidHTTP, OSError, ValueError: as `HTTPClient`.
    """
    if not is_trusted:
        check(url)

    async def resolve_checked(host: str, port: int) -> list[AddressInfo]:
        """Return the addresses of a host if calls to all of them are allowed."""
        found = await resolve(host, port)
        if is_trusted or all(is_allowed(ipaddress.ip_address(each[4][0])) for each in found):
            return found
        raise ForbiddenURL

    client = HTTPClient(url, connect_timeout=deadline, tls=tls, resolve=resolve_checked)
    all_headers = {"Accept": "*/*", "Connection": "close", **_authorization(url), **headers}
    async with (
        asyncio.timeout(deadline),
        client.request(method, all_headers, body, read_timeout=deadline) as response,
    ):
        if response.status in _REDIRECTS and "location" in response.headers:
            raise ForbiddenURL("The URL answers with a redirect, which is not followed.")
        yield response


def _authorization(url: str) -> dict[str, str]:
    """Return the header for the user and password of a URL, if it has them."""
    parts = urlsplit(url)
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


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
