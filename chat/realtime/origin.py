"""The origin check of WebSockets. Browsers let any page connect, and send its origin."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from chat.domain.errors import NotAllowed
from chat.env_parsers import parse_list
from chat.settings import MISSING_ORIGIN, chat_settings

# A browser always sends the header; a program can do the same.
NO_ORIGIN = (
    "A WebSocket requires an Origin header. Send the server's own origin, such as"
    f" https://chat.example.org, or add `{MISSING_ORIGIN}` to CHAT_SOCKET_ORIGINS."
)
FOREIGN_ORIGIN = (
    "Pages of this origin may not connect. Add it to CORS_ORIGINS or CHAT_SOCKET_ORIGINS."
)


def check(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Check whether a handshake with these headers may open a WebSocket.

    Raises:
        NotAllowed: the Origin header is missing, or is not allowed.
    """
    match [value.decode("latin-1") for name, value in headers if name == b"origin"]:
        case []:
            if MISSING_ORIGIN not in parse_list(chat_settings.SOCKET_ORIGINS):
                raise NotAllowed(NO_ORIGIN)
        case [origin] if _is_listed(origin) or _is_own(origin):
            pass
        case _:
            raise NotAllowed(FOREIGN_ORIGIN)


def _is_listed(origin: str) -> bool:
    return origin in parse_list(chat_settings.SOCKET_ORIGINS) or origin in settings.CORS_ORIGINS


def _is_own(origin: str) -> bool:
    """Return whether the host is in ALLOWED_HOSTS. `*`, which DEBUG allows, does not count."""
    try:
        parts = urlsplit(origin)
    except ValueError:  # brackets without an IP address
        return False
    host, _ = split_domain_port(parts.netloc.lower())
    own_hosts = [pattern for pattern in settings.ALLOWED_HOSTS if pattern != "*"]
    return parts.scheme in {"http", "https"} and bool(host) and validate_host(host, own_hosts)
