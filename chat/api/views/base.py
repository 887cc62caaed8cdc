"""What all views of the API share."""

from typing import Any, ClassVar

from django.http import HttpRequest
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from chat.api import auth, headers, query_params, responses
from chat.api.serializers import StrictSerializer, validate
from chat.domain import Caller

RENDERER = JSONRenderer()


class JSONOnlyNegotiation(BaseContentNegotiation):
    """There is one parser and one form of answers, whatever Accept says."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser:  # noqa: ARG002
        """Return the one parser."""
        parser: BaseParser = parsers[0]
        return parser

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002
        renderers: Any,  # noqa: ARG002
        format_suffix: str | None = None,  # noqa: ARG002
    ) -> tuple[BaseRenderer, str]:
        """Return the one renderer."""
        return RENDERER, RENDERER.media_type


class View(APIView):
    """A resource of the API: JSON only, refused by one exception handler, without DRF's choices."""

    http_method_names = ["get", "post", "patch", "delete", "head"]
    content_negotiation_class = JSONOnlyNegotiation
    metadata_class = None
    # Whether only the holder of a token may call it; the schema reads it, too.
    needs_token: ClassVar[bool] = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Do what DRF needs before the call: no negotiation, versions, throttles or permissions."""
        request.accepted_renderer, request.accepted_media_type = RENDERER, RENDERER.media_type

    @property
    def django_request(self) -> HttpRequest:
        """Django's request."""
        request: HttpRequest = self.request._request  # noqa: SLF001
        return request

    @property
    def request_id(self) -> str:
        """The request's id, for the turn's logs."""
        return responses.request_id_of(self.django_request)

    def caller(self, session_id: str) -> Caller:
        """Return the caller, who must hold a token of this session."""
        return auth.session_caller(self.django_request.META, session_id)

    def body(self, kind: type[StrictSerializer]) -> dict[str, Any]:
        """Return the request's body, checked; a call with a body takes no query parameters."""
        query_params.no_query(self.django_request.GET)
        return validate(kind, self.request.data)

    def idempotency_key(self, *, is_secret: bool = False) -> str:
        """Return the Idempotency-Key, or ""."""
        return headers.idempotency_key(self.django_request.META, is_secret=is_secret)
