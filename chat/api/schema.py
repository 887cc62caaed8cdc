"""The OpenAPI schema: descriptions of the API's operations."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar, cast

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from chat.api import schema_serializers
from chat.api.documentation import document_all
from chat.api.example_objects import ERROR
from chat.api.examples import IDS, OPERATIONS, TAGS
from chat.api.fields import NO_NUL, NOT_BLANK
from chat.api.query_params import MAX_QUERY_CHARS
from chat.api.serializers import BODIES
from chat.api.strict_serializer import StrictSerializer
from chat.api.views.base import View
from chat.conversation import llms
from chat.conversation.files import MAX_FILENAME_CHARS
from chat.conversation.idempotency import MAX_KEY_CHARS, MIN_KEY_CHARS, key_pattern
from chat.settings import chat_settings

F = TypeVar("F", bound=Callable[..., Any])

WITHOUT_STORE_ERRORS = (HTTPStatus.BAD_REQUEST,)
PROBE_ERRORS = (HTTPStatus.BAD_REQUEST, HTTPStatus.SERVICE_UNAVAILABLE)
# The 429 is for addresses that send many invalid requests.
COMMON_ERRORS = (*PROBE_ERRORS, HTTPStatus.TOO_MANY_REQUESTS)
SESSION_ERRORS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)
BODY_ERRORS = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
CONFLICT_ERRORS = (HTTPStatus.CONFLICT,)
# Too many reads or changes, or too many subscribers of the session.
RATE_ERRORS = (HTTPStatus.TOO_MANY_REQUESTS,)
LIMIT_ERRORS = (HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS)


def integer_parameter(name: str, description: str, **schema: object) -> OpenApiParameter:
    return OpenApiParameter(name, {"type": "integer", **schema}, description=description)


AFTER = integer_parameter(
    "after", "Only messages changed after this seq.", minimum=0, maximum=10**15, format="int64"
)
LIMIT = integer_parameter(
    "limit", "Maximum number of messages.", minimum=1, maximum=chat_settings.MAX_PAGE_LIMIT
)
SESSION_LIMIT = integer_parameter(
    "limit", "Maximum number of sessions.", minimum=1, maximum=chat_settings.MAX_PAGE_LIMIT
)
SESSION_CURSOR = OpenApiParameter(
    "before",
    {"type": "string", "minLength": 1, "pattern": "^[0-9]{1,15}-ses_[0-9a-f]{24}$"},
    description="`next_before` of the page before.",
)
NAME_QUERY = OpenApiParameter(
    "q",
    {"type": "string", "maxLength": MAX_QUERY_CHARS, "pattern": NO_NUL},
    description="A part of the name.",
)
PARLEY_USER = OpenApiParameter(
    "Parley-User",
    {"type": "string", "minLength": 1, "pattern": "^[!-~]{1,255}$"},
    "header",
    description="With an API key: the user for whom it acts.",
)
WAIT = OpenApiParameter(
    "wait",
    {"type": "number", "minimum": 0, "maximum": chat_settings.MAX_WAIT, "multipleOf": 0.001},
    description="Seconds to wait for a change after `after`, or since the ETag.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, "header", description="An earlier ETag, or `*`."
)
MESSAGE_CURSOR = {"type": "string", "minLength": 1, "pattern": "^msg_[1-9][0-9]{0,14}$"}
PAGE_PARAMETERS = [
    OpenApiParameter(
        "before",
        MESSAGE_CURSOR,
        description="Only messages before this one. Do not combine it with `after`.",
    ),
    OpenApiParameter("after", MESSAGE_CURSOR, description="Only messages after this one."),
    LIMIT,
    OpenApiParameter(
        "order", str, enum=["asc", "desc"], description="asc (the default) is oldest first."
    ),
]


FILE_BODY = {"application/octet-stream": OpenApiTypes.BINARY}
FILE_PARAMETERS = [
    OpenApiParameter(
        "filename", {"type": "string", "maxLength": MAX_FILENAME_CHARS}, description="Its name."
    )
]


def idempotency_key_parameter(min_chars: int = MIN_KEY_CHARS) -> OpenApiParameter:
    schema = {
        "type": "string",
        "minLength": min_chars,
        "maxLength": MAX_KEY_CHARS,
        "pattern": key_pattern(min_chars),
    }
    description = "A repeated request with the same key returns the first response."
    return OpenApiParameter("Idempotency-Key", schema, "header", description=description)


def openapi(
    responses: Mapping[int, type[schema_serializers.Output] | None],
    *,
    body: type[StrictSerializer] | Mapping[str, Any] | None = None,
    needs_token: bool = True,
    common: Sequence[HTTPStatus] = COMMON_ERRORS,
    errors: Sequence[HTTPStatus] = (),
    parameters: Sequence[OpenApiParameter] = (),
    media_types: Sequence[str] = (),
) -> Callable[[F], F]:
    """Describe an operation: its responses, its body, and its errors besides the common ones.

    media_types: of responses that are files.
    """
    statuses = (
        *common,
        *(SESSION_ERRORS if needs_token else ()),
        *(BODY_ERRORS if body else ()),
        *errors,
    )
    described: dict[int | tuple[int, str], Any] = {
        status.value: OpenApiResponse(schema_serializers.Error, status.phrase)
        for status in sorted(statuses)
    }
    for status, output in responses.items():
        described[status] = OpenApiResponse(output, HTTPStatus(status).phrase)
    for media_type in media_types:
        file = OpenApiResponse(OpenApiTypes.BINARY, "The content of the file.")
        described[HTTPStatus.OK.value, media_type] = file
    return extend_schema(request=body, responses=described, parameters=[*parameters])


class ParleyAutoSchema(AutoSchema):
    """Adds what applies to every operation."""

    def get_auth(self) -> list[dict[str, list[str]]]:
        return [{"token": []}] if cast(View, self.view).needs_token else []

    def get_operation_id(self) -> str:
        """Return the method and the view's name: `postMessages`."""
        return f"{self.method.lower()}{type(self.view).__name__}"

    def get_tags(self) -> list[str]:
        """Return the name of the view's module."""
        return [type(self.view).__module__.rpartition(".")[2]]

    def get_summary(self) -> str:
        """Return the first line of the method's docstring."""
        handler: Callable[..., Any] = getattr(self.view, self.method.lower())
        return (handler.__doc__ or "").partition("\n")[0]

    def get_description(self) -> str:  # type: ignore[override]
        """Return "": the modules `examples` have the descriptions."""
        return ""

    def get_override_parameters(self) -> list[Any]:
        """Add path parameters and response headers."""
        parameters = super().get_override_parameters()
        return [*parameters, *_path_parameters(self.path), *RESPONSE_HEADERS]


def _path_parameters(path: str) -> list[OpenApiParameter]:
    names = [
        name for name in ("session_id", "message_id", "file_id", "user") if f"{{{name}}}" in path
    ]
    return [OpenApiParameter(name, str, "path", required=True) for name in names]


def _header_parameter(
    name: str,
    type_: Any,
    statuses: bool | list[int],  # noqa: FBT001
    text: str,
) -> OpenApiParameter:
    return OpenApiParameter(name, type_, "header", response=statuses, description=text)


RESPONSE_HEADERS = [
    _header_parameter("X-Request-ID", str, True, "The id that the client sent, or a new one."),
    _header_parameter("Retry-After", int, [429, 503], "Seconds to wait before a retry."),
    _header_parameter("WWW-Authenticate", str, [401], "The scheme and the error's code."),
    _header_parameter("Location", str, [201, 202], "The path of the new session, reply or file."),
]


def postprocess(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """Add what serializers cannot express, such as that unknown fields are rejected.

    This is one of drf-spectacular's POSTPROCESSING_HOOKS.
    """
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
    _forbid_other_origins(result["paths"])
    result["paths"]["/sessions/{session_id}/events"] = {"get": _events(result["paths"])}
    _add_examples(result)
    return result


def _add_examples(result: dict[str, Any]) -> None:
    """Add tags, descriptions and examples, and sort the paths."""
    result["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    result["components"]["schemas"]["Error"]["example"] = ERROR
    document_all(result, OPERATIONS, ids=IDS)
    names = list(OPERATIONS)

    def position(path: str) -> int:
        ids = [operation["operationId"] for operation in result["paths"][path].values()]
        return min((names.index(each) for each in ids if each in OPERATIONS), default=len(names))

    paths = sorted(result["paths"], key=position)
    result["paths"] = {path: result["paths"][path] for path in paths}


def _forbid_other_origins(paths: Mapping[str, Any]) -> None:
    """Add the error for pages of other origins to all operations that change something."""
    for operations in paths.values():
        for method in operations.keys() - {"get"}:
            responses = operations[method]["responses"]
            forbidden = responses["400"] | {"description": HTTPStatus.FORBIDDEN.phrase}
            operations[method]["responses"] = dict(sorted({**responses, "403": forbidden}.items()))


def _events(paths: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the event stream, which is not a DRF view. Its errors are those of a long-poll."""
    long_poll = paths["/sessions/{session_id}"]["get"]
    errors = {
        status: response
        for status, response in long_poll["responses"].items()
        if int(status) >= HTTPStatus.BAD_REQUEST
    }
    seq = {"type": "integer", "minimum": 0, "maximum": 10**15, "format": "int64"}
    return {
        "operationId": "getEvents",
        "summary": "Subscribe to the session's events: a stream of Server-Sent Events.",
        "security": [*long_poll["security"], {}],
        "parameters": [
            {"in": "path", "name": "session_id", "required": True, "schema": {"type": "string"}},
            _parameter("query", "after", seq, "Only events after this seq."),
            _parameter(
                "query", "ticket", {"type": "string"}, "Replaces the token; it can be used once."
            ),
            _parameter("header", "Last-Event-ID", seq, "A seq; it takes precedence over `after`."),
        ],
        "responses": {
            "200": {
                "description": "The `id` of each event is its seq, and its `data` a JSON object.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            **errors,
        },
    }


def _parameter(location: str, name: str, schema: object, text: str) -> dict[str, object]:
    return {"in": location, "name": name, "schema": schema, "description": text}


def _link(paths: dict[str, Any]) -> None:
    """Add OpenAPI links: the responses that contain the ids for other operations."""
    session_parameters = {"session_id": "$response.body#/id"}
    message_parameters = {
        "session_id": "$request.path.session_id",
        "message_id": "$response.body#/reply/id",
    }
    session_links: dict[str, Any] = {}
    message_links: dict[str, Any] = {}
    for path, operations in paths.items():
        for operation in operations.values():
            name = operation["operationId"]
            if "{message_id}" in path:
                message_links[name] = {"operationId": name, "parameters": message_parameters}
            elif "{session_id}" in path:
                session_links[name] = {"operationId": name, "parameters": session_parameters}
    paths["/sessions"]["post"]["responses"]["201"]["links"] = session_links
    paths["/sessions/{session_id}/messages"]["post"]["responses"]["202"]["links"] = message_links
