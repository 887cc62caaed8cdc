"""The origin check of WebSockets. Browsers let any page connect, and send its origin."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from chat.env_parsers import parse_list
from chat.settings import MISSING_ORIGIN, chat_settings


def is_allowed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a handshake with these headers may open a WebSocket."""
    origins = [value.decode("latin-1") for name, value in headers if name == b"origin"]
    allowed = parse_list(chat_settings.SOCKET_ORIGINS)
    match origins:
        case []:
            return MISSING_ORIGIN in allowed
        case [origin]:
            return origin in allowed or origin in settings.CORS_ORIGINS or _is_own(origin)
    return False


def _is_own(origin: str) -> bool:
    """Return whether the host is in ALLOWED_HOSTS. `*`, which DEBUG allows, does not count."""
    try:
        parts = urlsplit(origin)
    except ValueError:  # brackets without an IP address
        return False
    host, _ = split_domain_port(parts.netloc.lower())
    own_hosts = [pattern for pattern in settings.ALLOWED_HOSTS if pattern != "*"]
    return parts.scheme in {"http", "https"} and bool(host) and validate_host(host, own_hosts)
