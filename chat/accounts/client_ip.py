"""The client's IP address, for rate limits."""

import ipaddress
from collections.abc import Mapping

from chat.settings import chat_settings

# Clients that connect over a Unix socket.
LOCAL = "local"


def client_address(meta: Mapping[str, str]) -> str:
    """Return the client's address; of IPv6, its /64.

    Each trusted proxy appends one entry to X-Forwarded-For. With n of them, the client's address is
    the n-th entry from the right. Clients can forge the entries before it.
    """
    peer = meta.get("REMOTE_ADDR", "")
    if chat_settings.TRUSTED_PROXIES:
        entries = meta.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(entries) >= chat_settings.TRUSTED_PROXIES:
            peer = entries[-chat_settings.TRUSTED_PROXIES].strip()
    return _bucket(peer)


def _bucket(address: str) -> str:
    """Return the address, or the /64 of an IPv6 address: the least that one customer gets."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return LOCAL
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip.packed, 64), strict=False))
