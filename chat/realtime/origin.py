"""Which pages may open sockets: a browser lets any page try, and says which one it is."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from chat.env_parsers import parse_list
from chat.settings import MISSING_ORIGIN, chat_settings


def is_allowed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether a socket may be opened from where the headers say that it is."""
    named = [value.decode("latin-1") for name, value in headers if name == b"origin"]
    further = parse_list(chat_settings.SOCKET_ORIGINS)
    match named:
        case []:
            return MISSING_ORIGIN in further
        case [origin]:
            return origin in further or origin in settings.CORS_ORIGINS or _is_own(origin)
    return False


def _is_own(origin: str) -> bool:
    """Tell whether it is a page of one of our hosts; `*`, which DEBUG allows, names none."""
    try:
        parts = urlsplit(origin)
    except ValueError:  # brackets around what is no address
        return False
    host, _ = split_domain_port(parts.netloc.lower())
    own = [pattern for pattern in settings.ALLOWED_HOSTS if pattern != "*"]
    return parts.scheme in {"http", "https"} and bool(host) and validate_host(host, own)
