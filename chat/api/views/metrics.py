"""Metrics for Prometheus, and access to them."""

import hmac
import ipaddress
from collections.abc import Mapping

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

from chat.api import prometheus, query_params
from chat.api.auth import bearer_token
from chat.api.views.base import View
from chat.domain.errors import InvalidToken, NotAllowed
from chat.operations import stats

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# A request with one of these headers has passed through a proxy.
PROXY_HEADERS = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


class Metrics(View):
    """The metrics in Prometheus's text format."""

    needs_token = False
    schema = None

    def get(self, _: Request) -> HttpResponse:
        query_params.reject_query(self.django_request.GET)
        check_access(self.django_request)
        return HttpResponse(
            prometheus.render(stats.collect()),
            content_type=CONTENT_TYPE,
            headers={"Cache-Control": "no-store"},
        )


def check_access(request: HttpRequest) -> None:
    """Require `METRICS_TOKEN`, or a local client if the setting is empty.

    Raises:
        InvalidToken: the token is missing or wrong.
        NotAllowed: the client is not local.
    """
    if settings.METRICS_TOKEN:
        token = bearer_token(request.META).encode()
        if not hmac.compare_digest(token, settings.METRICS_TOKEN.encode()):
            raise InvalidToken("A valid METRICS_TOKEN is required.")
    elif not _is_local(request.META):
        raise NotAllowed("Only local clients may read the metrics, unless METRICS_TOKEN is set.")


def _is_local(meta: Mapping[str, str]) -> bool:
    """Return whether the request comes from this machine, and not through a proxy."""
    if any(name in meta for name in PROXY_HEADERS):
        return False
    # Clients of a Unix socket have no address.
    peer = meta.get("REMOTE_ADDR", "")
    try:
        return not peer or ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False
