"""What the OpenAPI schema says about the calls."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar, cast

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from chat.api import headers, schema_serializers
from chat.api.fields import NO_NUL, NOT_BLANK
from chat.api.serializers import BODIES, StrictSerializer
from chat.api.views.base import View
from chat.conversation import llms
from chat.settings import chat_settings

F = TypeVar("F", bound=Callable[..., Any])

WITHOUT_STORE_ERRORS = (HTTPStatus.BAD_REQUEST,)
COMMON_ERRORS = (HTTPStatus.BAD_REQUEST, HTTPStatus.SERVICE_UNAVAILABLE)
SESSION_ERRORS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)
BODY_ERRORS = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
CONFLICT_ERRORS = (HTTPStatus.CONFLICT,)
# Of a session that has too many followers.
SUBSCRIBE_ERRORS = (HTTPStatus.TOO_MANY_REQUESTS,)
LIMIT_ERRORS = (HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS)


def integer_parameter(name: str, description: str, **schema: object) -> OpenApiParameter:
    """Describe a query parameter that is a number."""
    return OpenApiParameter(name, {"type": "integer", **schema}, description=description)


AFTER = integer_parameter(
    "after", "Only messages changed after this seq.", minimum=0, maximum=10**15, format="int64"
)
LIMIT = integer_parameter(
    "limit", "Most messages.", minimum=1, maximum=chat_settings.MAX_PAGE_LIMIT
)
WAIT = OpenApiParameter(
    "wait",
    {"type": "number", "minimum": 0, "maximum": chat_settings.MAX_WAIT, "multipleOf": 0.001},
    description="Seconds to wait until something has changed after `after`, or since the ETag.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, "header", description="An earlier ETag, or `*`."
)
MESSAGE_CURSOR = {"type": "string", "pattern": "^msg_[1-9][0-9]{0,14}$"}
PAGE_PARAMETERS = [
    OpenApiParameter(
        "before", MESSAGE_CURSOR, description="Only messages before this one; or `after`."
    ),
    OpenApiParameter("after", MESSAGE_CURSOR, description="Only messages after this one."),
    LIMIT,
    OpenApiParameter("order", str, enum=["asc", "desc"], description="By age; oldest first."),
]


def idempotency_key_parameter(least: int = headers.MIN_KEY_CHARS) -> OpenApiParameter:
    """Describe the Idempotency-Key."""
    schema = {"type": "string", "pattern": headers.key_pattern(least)}
    description = "The same key and request again: the first answer again."
    return OpenApiParameter("Idempotency-Key", schema, "header", description=description)


def openapi(
    answers: Mapping[int, type[schema_serializers.Output] | None],
    *,
    body: type[StrictSerializer] | None = None,
    needs_token: bool = True,
    common: Sequence[HTTPStatus] = COMMON_ERRORS,
    errors: Sequence[HTTPStatus] = (),
    parameters: Sequence[OpenApiParameter] = (),
) -> Callable[[F], F]:
    """Describe a call: its answers, its body, and what it may be refused with beyond the usual."""
    told = (
        *common,
        *(SESSION_ERRORS if needs_token else ()),
        *(BODY_ERRORS if body else ()),
        *errors,
    )
    responses: dict[int, Any] = {
        status.value: OpenApiResponse(schema_serializers.Error, status.phrase)
        for status in sorted(told)
    }
    for status, output in answers.items():
        responses[status] = OpenApiResponse(output, HTTPStatus(status).phrase)
    return extend_schema(request=body, responses=responses, parameters=[*parameters])


class ParleyAutoSchema(AutoSchema):
    """Adds what holds for every call of the API."""

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Say whether the call needs a token."""
        return [{"token": []}] if cast(View, self.view).needs_token else []

    def get_operation_id(self) -> str:
        """Name the call after its view: `postMessages`."""
        return f"{self.method.lower()}{type(self.view).__name__}"

    def get_tags(self) -> list[str]:
        """Group the calls by the module of their view."""
        return [type(self.view).__module__.rpartition(".")[2]]

    def get_summary(self) -> str:
        """Return the first line of the method's docstring."""
        call: Callable[..., Any] = getattr(self.view, self.method.lower())
        return (call.__doc__ or "").partition("\n")[0]

    def get_description(self) -> str:  # type: ignore[override]
        """Return nothing beyond the summary."""
        return ""

    def get_override_parameters(self) -> list[Any]:
        """Return path parameters and the headers of answers."""
        given = super().get_override_parameters()
        return [*given, *_path_parameters(self.path), *RESPONSE_HEADERS]


def _path_parameters(path: str) -> list[OpenApiParameter]:
    names = [name for name in ("session_id", "message_id") if f"{{{name}}}" in path]
    return [OpenApiParameter(name, str, "path", required=True) for name in names]


def _header_parameter(
    name: str,
    kind: Any,
    statuses: bool | list[int],  # noqa: FBT001
    text: str,
) -> OpenApiParameter:
    return OpenApiParameter(name, kind, "header", response=statuses, description=text)


RESPONSE_HEADERS = [
    _header_parameter("X-Request-ID", str, True, "The client's, if it sent a sane one."),
    _header_parameter("Retry-After", int, [429, 503], "Seconds."),
    _header_parameter("WWW-Authenticate", str, [401], "The scheme, and the error's code."),
    _header_parameter("Location", str, [201, 202], "Where the new thing is."),
]


def postprocess(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """Say of request bodies what serializers can't: nothing unknown, no NUL, something visible."""
    schemas = result["components"]["schemas"]
    for name in {kind.__name__ for kind in BODIES} & schemas.keys():
        schemas[name]["additionalProperties"] = False
        for field in schemas[name].get("properties", {}).values():
            if field.get("type") == "string" and "enum" not in field:
                field["pattern"] = NO_NUL
    schemas["NewMessageBody"]["properties"]["content"]["pattern"] = NOT_BLANK
    for name in ("NewSessionBody", "SessionUpdateBody"):
        schemas[name]["properties"]["model"]["enum"] = [*llms.all_models(), None]
    _link(result["paths"])
    result["paths"]["/sessions/{session_id}/events"] = {"get": _events(result["paths"])}
    return result


def _events(paths: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the event stream, which no view of REST's gives; it is refused as a long-poll is."""
    long_poll = paths["/sessions/{session_id}"]["get"]
    refusals = {
        status: answer
        for status, answer in long_poll["responses"].items()
        if int(status) >= HTTPStatus.BAD_REQUEST
    }
    seq = {"type": "integer", "minimum": 0, "maximum": 10**15, "format": "int64"}
    return {
        "operationId": "getEvents",
        "summary": "Follow the session: an event stream (SSE) that lasts as long as it does.",
        "tags": ["sessions"],
        "security": [*long_poll["security"], {}],
        "parameters": [
            {"in": "path", "name": "session_id", "required": True, "schema": {"type": "string"}},
            _parameter("query", "after", seq, "Only events after this seq."),
            _parameter("query", "ticket", {"type": "string"}, "Instead of the token; opens once."),
            _parameter("header", "Last-Event-ID", seq, "Instead of `after`, which it overrules."),
        ],
        "responses": {
            "200": {
                "description": "Each event: `id` is its seq, `data` an object of JSON.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            **refusals,
        },
    }


def _parameter(place: str, name: str, schema: object, text: str) -> dict[str, object]:
    return {"in": place, "name": name, "schema": schema, "description": text}


def _link(paths: dict[str, Any]) -> None:
    """Say which answers give the ids that other calls take."""
    of_session = {"session_id": "$response.body#/id"}
    of_message = {
        "session_id": "$request.path.session_id",
        "message_id": "$response.body#/reply/id",
    }
    opened: dict[str, Any] = {}
    posted: dict[str, Any] = {}
    for path, calls in paths.items():
        for call in calls.values():
            name = call["operationId"]
            if "{message_id}" in path:
                posted[name] = {"operationId": name, "parameters": of_message}
            elif "{session_id}" in path:
                opened[name] = {"operationId": name, "parameters": of_session}
    paths["/sessions"]["post"]["responses"]["201"]["links"] = opened
    paths["/sessions/{session_id}/messages"]["post"]["responses"]["202"]["links"] = posted
