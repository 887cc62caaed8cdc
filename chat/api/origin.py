"""The origin checks of requests and WebSockets.

Browsers let any page connect and send simple requests, and name the page's origin.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
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
FOREIGN_PAGE = "Pages of this origin may not call the API. Add it to CORS_ORIGINS."
# Methods that change nothing.
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
# Values of Sec-Fetch-Site for the server's own pages, and for requests of the user.
OWN_SITES = {"same-origin", "none"}


def check_websocket(headers: Iterable[tuple[bytes, bytes]]) -> None:
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


def check_request(request: HttpRequest) -> None:
    """Check whether a request that changes something comes from a page of another site.

    A browser sends some requests, such as a POST without a body, before it asks whether the page
    may. Programs send neither header. Browsers send Sec-Fetch-Site to HTTPS and localhost only; it
    is right even if a proxy changes the Host header.

    Raises:
        NotAllowed: it does, and the page's origin is not listed.
    """
    if request.method in SAFE_METHODS:
        return
    origin = request.META.get("HTTP_ORIGIN", "")
    site = request.META.get("HTTP_SEC_FETCH_SITE", "")
    if site in OWN_SITES or not (origin or site):
        return
    host = request.META.get("HTTP_HOST", "")
    if not (origin in settings.CORS_ORIGINS or _is_own(origin, host)):
        raise NotAllowed(FOREIGN_PAGE)


def _is_listed(origin: str) -> bool:
    return origin in parse_list(chat_settings.SOCKET_ORIGINS) or origin in settings.CORS_ORIGINS


def _is_own(origin: str, request_host: str = "") -> bool:
    """Return whether the host is in ALLOWED_HOSTS, or that of the request.

    `*`, which DEBUG allows, does not count. Ports do not count, because proxies may remove them.
    """
    try:
        parts = urlsplit(origin)
    except ValueError:  # brackets without an IP address
        return False
    host, _ = split_domain_port(parts.netloc.lower())
    if parts.scheme not in {"http", "https"} or not host:
        return False
    own_hosts = [pattern for pattern in settings.ALLOWED_HOSTS if pattern != "*"]
    return host == split_domain_port(request_host.lower())[0] or validate_host(host, own_hosts)
