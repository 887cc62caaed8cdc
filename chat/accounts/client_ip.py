"""Where a request comes from, as far as that can be believed."""

import ipaddress
from collections.abc import Mapping

from chat.settings import chat_settings

# Who comes by a Unix socket.
LOCAL = "local"


def client(meta: Mapping[str, str]) -> str:
    """Return the address whose pace is limited.

    Each trusted proxy has added one entry to X-Forwarded-For, so with n of them the client's own is
    the n-th from the right; what stands further left anybody may have written.
    """
    peer = meta.get("REMOTE_ADDR", "")
    if chat_settings.TRUSTED_PROXIES:
        entries = meta.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(entries) >= chat_settings.TRUSTED_PROXIES:
            peer = entries[-chat_settings.TRUSTED_PROXIES].strip()
    return _bucket(peer)


def _bucket(address: str) -> str:
    """Return the address; of IPv6 its /64, the least that one customer is given."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return LOCAL
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip.packed, 64), strict=False))
