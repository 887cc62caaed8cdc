"""What Prometheus may read, and who else may."""

import hmac
import ipaddress
from collections.abc import Mapping

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

from chat.api import prometheus, query_params
from chat.api.views.base import View
from chat.domain.errors import InvalidToken, NotAllowed
from chat.operations import stats

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# What a request bears that has come through a proxy.
PROXY_HEADERS = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


class Metrics(View):
    """The figures, in Prometheus's text format."""

    needs_token = False
    schema = None

    def get(self, _: Request) -> HttpResponse:
        """Give them, to whom they are for."""
        query_params.no_query(self.django_request.GET)
        check_access(self.django_request)
        return HttpResponse(
            prometheus.render(stats.collect()),
            content_type=CONTENT_TYPE,
            headers={"Cache-Control": "no-store"},
        )


def check_access(request: HttpRequest) -> None:
    """Let pass who bears the token; without one in the settings, who asks from this machine.

    Raises:
        InvalidToken, NotAllowed
    """
    if settings.METRICS_TOKEN:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        known = settings.METRICS_TOKEN.encode()
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), known):
            raise InvalidToken("The token of the metrics is required.")
    elif not _is_local(request.META):
        raise NotAllowed("Metrics are told to this machine only; METRICS_TOKEN lets others in.")


def _is_local(meta: Mapping[str, str]) -> bool:
    """Whether the peer is this machine, and speaks for nobody else."""
    try:
        peer = ipaddress.ip_address(meta.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return peer.is_loopback and not any(name in meta for name in PROXY_HEADERS)
