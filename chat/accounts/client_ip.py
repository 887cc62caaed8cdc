"""The client's IP address, for rate limits, and which proxies may name it."""

import re
from collections.abc import Iterable, Mapping, MutableMapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from chat.env_parsers import TrustedProxies, parse_trusted_proxies
from chat.settings import chat_settings

# Clients that connect over a Unix socket.
LOCAL = "local"
# How servers and nginx name them.
UNIX_PEERS = {"", "unix:"}
# `203.0.113.7:1234`, `[2001:db8::1]` and `[2001:db8::1]:1234`: some proxies append the port.
WITH_PORT = re.compile(r"\[([^\]]*)\](?::[0-9]*)?|([0-9.]+):[0-9]*")
# Characters of an X-Forwarded-For whose client is remembered.
MAX_CACHED_CHARS = 200

Address = IPv4Address | IPv6Address


def client_address(meta: Mapping[str, str]) -> str:
    """Return the client's address; of IPv6, its /64.

    Each proxy appends the address of its caller to X-Forwarded-For. From the right, the first
    address that is not a trusted proxy is the client. Clients can forge the entries before it.
    """
    client, forwarded = meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR", "")
    if len(forwarded) > MAX_CACHED_CHARS:
        return _find_client(client, forwarded)
    return _find_client_cached(client, forwarded, chat_settings.TRUSTED_PROXIES)


@lru_cache(maxsize=4096)
def _find_client_cached(client: str, forwarded: str, _trusted: str) -> str:
    """Return the client's address. A request asks for it up to four times."""
    return _find_client(client, forwarded)


def _find_client(client: str, forwarded: str) -> str:
    while forwarded and is_trusted(client):
        forwarded, _, entry = forwarded.rpartition(",")
        client = entry.strip() or "unknown"
    return _bucket(_parse(client))


def scope_address(scope: Mapping[str, Any]) -> str:
    """Return the same of an ASGI scope."""
    peer = scope.get("client") or ("", 0)
    return proxied_address(peer[0], scope["headers"])


def proxied_address(peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the same of a peer and the headers of its request."""
    forwarded = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    meta = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded.decode("latin-1")}
    return client_address(meta)


def network_of(address: str) -> str:
    """Return the /48 of a client's /64; an IPv4 address has no larger network."""
    return str(ip_network(address).supernet(new_prefix=48)) if "/" in address else address


def is_trusted(peer: str) -> bool:
    """Return whether the headers of this peer are believed."""
    proxies = _trusted_proxies()
    if peer in UNIX_PEERS:
        return proxies.unix
    if not proxies.networks:
        return False
    address = _parse(peer)
    return address is not None and any(address in network for network in proxies.networks)


def remove_untrusted_headers(meta: MutableMapping[str, str]) -> None:
    """Remove X-Forwarded-Proto, unless a trusted proxy has sent it.

    Django reads it (SECURE_PROXY_SSL_HEADER) and compares it with `https` exactly.
    """
    proto = meta.pop("HTTP_X_FORWARDED_PROTO", "")
    if proto and is_trusted(meta.get("REMOTE_ADDR", "")):
        meta["HTTP_X_FORWARDED_PROTO"] = proto.lower()


def _trusted_proxies() -> TrustedProxies:
    return parse_trusted_proxies("CHAT_TRUSTED_PROXIES", chat_settings.TRUSTED_PROXIES)


def _parse(text: str) -> Address | None:
    """Return the address, without its port and zone; `None` if the text has another form."""
    if match := WITH_PORT.fullmatch(text):
        text = match[2] or match[1]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _bucket(address: Address | None) -> str:
    """Return the address, or the /64 of an IPv6 address: the least that one customer gets."""
    if address is None:
        return LOCAL
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((address.packed, 64), strict=False))
