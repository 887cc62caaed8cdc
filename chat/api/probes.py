"""Requests by which load balancers and orchestrators check a web process.

They name no host or an IP address, call `/` or `*`, use OPTIONS, or add a query or a slash. All of
them get the response of `/live` or `/ready`, whatever ALLOWED_HOSTS contains.
"""

import ipaddress

from django.http import HttpRequest
from django.http.request import split_domain_port

LIVE = "/live"
PATHS = {LIVE, "/ready"}
METHODS = {"GET", "HEAD", "OPTIONS"}
# The target of requests about the server as a whole: HAProxy's `httpchk *`, Apache's hcmethod.
ASTERISK = "*"


def health_path(request: HttpRequest) -> str | None:
    """Return the path of the health check that the request is for; `None` for other requests."""
    path = request.path_info.removesuffix("/")
    if path in PATHS:
        return path
    if path == ASTERISK and request.method == "OPTIONS":
        return LIVE
    # HAProxy sends `OPTIONS / HTTP/1.0` without a Host by default.
    return LIVE if is_root_check(request) and "HTTP_HOST" not in request.META else None


def is_root_check(request: HttpRequest) -> bool:
    """Return whether a request for `/` whose Host is not allowed may come from a load balancer.

    Browsers accept `text/html`. They get the error, which says what is wrong.
    """
    return (
        request.path_info == "/"
        and request.method in METHODS
        and "text/html" not in request.META.get("HTTP_ACCEPT", "")
        and _is_address(request.META.get("HTTP_HOST"))
    )


def _is_address(host: str | None) -> bool:
    """Return whether the Host header is an IP address, with or without a port, or missing."""
    if host is None:
        return True
    domain, _ = split_domain_port(host)
    try:
        ipaddress.ip_address(domain.strip("[]"))
    except ValueError:
        return False
    return True
