"""OpenAPI descriptions of operations that are not views of the REST framework."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

PATH_PARAMETER = re.compile(r"\{(\w+)\}")
Schema = Mapping[str, Any]
TEXT: Schema = {"type": "string"}
# An id that a page starts after or before.
CURSOR: Schema = {"type": "string", "minLength": 1}
BOOLEAN: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
OBJECT: Schema = {"type": "object"}
OBJECTS: Schema = {"type": "array", "items": OBJECT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of a path."""

    id: str
    summary: str
    # Fields of the body, and a whole body; none if there is no body.
    fields: Mapping[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    body: Mapping[str, Any] | None = None
    # Parameters of the query.
    query: Mapping[str, Schema] = field(default_factory=dict)
    # A response; `None` for streams only.
    response: object = None
    # Whether the response can be a stream of Server-Sent Events.
    is_stream: bool = False
    # A status without body that is no error.
    empty: HTTPStatus | None = None


def describe(
    result: dict[str, Any], tag: str, paths: Mapping[str, Mapping[str, Operation]]
) -> dict[str, Any]:
    """Add paths to an OpenAPI schema; return it. paths: operations by path and method."""
    for path, operations in paths.items():
        result["paths"][path] = {
            method: _describe(path, tag, operation) for method, operation in operations.items()
        }
    return result


def _describe(path: str, tag: str, operation: Operation) -> dict[str, Any]:
    described = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [tag],
        "security": [{"token": []}],
        "parameters": [
            *(_parameter("path", name, TEXT) for name in PATH_PARAMETER.findall(path)),
            *(_parameter("query", name, schema) for name, schema in operation.query.items()),
        ],
        "responses": _responses(operation),
    }
    if operation.body is not None:
        schema = {
            "type": "object",
            "properties": dict(operation.fields),
            "required": list(operation.required),
            "additionalProperties": False,
        }
        content = {"application/json": {"schema": schema, "example": operation.body}}
        described["requestBody"] = {"content": content, "required": True}
    return described


def _parameter(location: str, name: str, schema: Schema) -> dict[str, Any]:
    return {"in": location, "name": name, "required": location == "path", "schema": schema}


def _responses(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if operation.response is not None:
        kind = "array" if isinstance(operation.response, list) else "object"
        content["application/json"] = {"schema": {"type": kind}, "example": operation.response}
    if operation.is_stream:
        content["text/event-stream"] = {"schema": TEXT}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    responses: dict[str, Any] = {
        "200": {"description": HTTPStatus.OK.phrase, "content": content},
        "default": {"description": "An error.", "content": error},
    }
    if operation.empty is not None:
        responses[str(operation.empty.value)] = {"description": operation.empty.phrase}
    return responses
