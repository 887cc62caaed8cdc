"""Hosts of URLs that clients supply, and which of their addresses are public."""

import ipaddress
import re
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Characters of a URL.
MAX_URL_CHARS = 2048

# No zone (`fe80::1%eth0`): it has a meaning on this machine only.
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
# Networks that some releases of Python report as public: protocol and site-local networks, and IPv6
# networks whose addresses embed IPv4 addresses (compatible, translated, Teredo, 6to4). And Azure's
# metadata service for the agent of a virtual machine.
_NOT_PUBLIC = [
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",
        "168.63.129.16/32",
        "192.88.99.0/24",
        "fec0::/10",
        "::/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "3fff::/20",
    )
]
# Ends of names that only private networks, or a machine itself, resolve.
_PRIVATE_DOMAINS = ("localhost", "localdomain", "local", "internal", "home.arpa")


def plain_host(url: str, schemes: Collection[str]) -> str | None:
    """Return the host of a URL; `None` if parsers may read the URL differently.

    That is any URL of another scheme, with a user name, a backslash, or characters that are not
    printable ASCII.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    is_plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if len(url) > MAX_URL_CHARS or not is_plain or parts.scheme not in schemes or not host:
        return None
    return host if _HOST.fullmatch(host) and "@" not in parts.netloc else None


def numeric_addresses(host: str) -> list[Address]:
    """Return the address that `host` is in any notation (`127.1`, `0x7f000001`), else nothing."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(address[0]) for *_, address in found]


def is_public(address: Address) -> bool:
    """Return whether an address belongs to a host of the Internet."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def may_be_public(host: str) -> bool:
    """Return whether a host may be public: a public address, or a name that is not resolved."""
    if addresses := numeric_addresses(host):
        return all(map(is_public, addresses))
    labels = host.removesuffix(".")
    is_private = any(f".{labels}".endswith(f".{domain}") for domain in _PRIVATE_DOMAINS)
    return "." in labels and not is_private
