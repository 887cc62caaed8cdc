"""The base class of the API's views."""

from typing import Any, ClassVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from chat.accounts import read_limits
from chat.api import auth, exception_handler, headers, query_params, responses
from chat.api.middleware import mark_as_api
from chat.api.parsers import StrictJSONParser
from chat.api.strict_serializer import StrictSerializer, validate
from chat.domain import Caller

RENDERER = JSONRenderer()


class JSONOnlyNegotiation(BaseContentNegotiation):
    """Selects the only parser and renderer, regardless of Accept."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser:  # noqa: ARG002
        parser: BaseParser = parsers[0]
        return parser

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002
        renderers: Any,  # noqa: ARG002
        format_suffix: str | None = None,  # noqa: ARG002
    ) -> tuple[BaseRenderer, str]:
        return RENDERER, RENDERER.media_type


class View(APIView):
    """A resource of the API. Requests and responses are JSON."""

    http_method_names = ["get", "post", "patch", "delete", "head"]
    # Pinned, because the defaults of Django REST framework belong to the whole project.
    content_negotiation_class = JSONOnlyNegotiation
    renderer_classes = [JSONRenderer]
    parser_classes = [StrictJSONParser]
    authentication_classes = []
    permission_classes = []
    throttle_classes = []
    metadata_class = None
    # Whether a session token is required, for the schema.
    needs_token: ClassVar[bool] = True

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        return mark_as_api(super().as_view(**initkwargs))

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Respond, then break the reference cycles of DRF.

        Its views refer to themselves by `head` and by the parser context. Until the next garbage
        collection they would keep the bodies of requests and responses, which may have megabytes.
        """
        try:
            response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
            return response
        finally:
            getattr(self.request, "parser_context", {}).clear()  # DRF may have failed to wrap it
            vars(self).clear()

    def get_exception_handler(self) -> Any:
        return exception_handler.handle

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Skip DRF's negotiation, versioning, throttling and permissions: nothing uses them."""
        request.accepted_renderer, request.accepted_media_type = RENDERER, RENDERER.media_type

    @property
    def django_request(self) -> HttpRequest:
        request: HttpRequest = self.request._request  # noqa: SLF001
        return request

    @property
    def request_id(self) -> str:
        return responses.get_request_id(self.django_request)

    def caller(self, session_id: str) -> Caller:
        """Return the caller, whose token must belong to this session."""
        return auth.authenticate_session(self.django_request.META, session_id)

    def reader(self, session_id: str) -> Caller:
        """Return the caller of a request that reads the session.

        Raises:
            RateLimited: the session or the client's address reads too often.
        """
        caller = self.caller(session_id)
        read_limits.check_read(caller, self.django_request.META)
        return caller

    def body(self, serializer_class: type[StrictSerializer]) -> dict[str, Any]:
        """Return the validated body. Requests with a body must not have query parameters."""
        query_params.reject_query(self.django_request.GET)
        return validate(serializer_class, self.request.data)

    def idempotency_key(self, *, is_secret: bool = False) -> str:
        return headers.idempotency_key(self.django_request.META, is_secret=is_secret)
