"""OpenAPI descriptions of operations that are not views of the REST framework."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from chat.api.documentation import JSON, Documented, document

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
    """One method of a path. Its examples name the media types of its responses."""

    id: str
    summary: str
    # Fields of the body; none if there is no body.
    fields: Mapping[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    # Parameters of the query.
    query: Mapping[str, Schema] = field(default_factory=dict)


def describe(
    result: JSON,
    paths: Mapping[str, Mapping[str, Operation]],
    documented: Mapping[str, Documented],
    *,
    tags: Mapping[str, str],
    ids: Mapping[str, str],
) -> JSON:
    """Add paths to an OpenAPI schema; return it.

    paths: operations by path and method. documented: by operation id. tags: their descriptions.
    ids: examples of path parameters.
    """
    result["tags"] += [{"name": name, "description": text} for name, text in tags.items()]
    for path, operations in paths.items():
        described = result["paths"].setdefault(path, {})
        for method, operation in operations.items():
            known = documented[operation.id]
            described[method] = _describe(path, operation, known)
            document(described[method], known, ids=ids)
    return result


def _describe(path: str, operation: Operation, known: Documented) -> JSON:
    described: JSON = {
        "operationId": operation.id,
        "summary": operation.summary,
        "security": [{"token": []}],
        "parameters": [
            *(_parameter("path", name, TEXT) for name in PATH_PARAMETER.findall(path)),
            *(_parameter("query", name, schema) for name, schema in operation.query.items()),
        ],
        "responses": _responses(known),
    }
    if operation.fields:
        schema = {
            "type": "object",
            "properties": dict(operation.fields),
            "required": list(operation.required),
            "additionalProperties": False,
        }
        content = {"application/json": {"schema": schema}}
        described["requestBody"] = {"content": content, "required": True}
    return described


def _parameter(location: str, name: str, schema: Schema) -> JSON:
    return {"in": location, "name": name, "required": location == "path", "schema": schema}


def _responses(known: Documented) -> JSON:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    responses: JSON = {}
    for example in known.examples:
        phrase = HTTPStatus(example.status).phrase
        described = responses.setdefault(str(example.status), {"description": phrase})
        if example.response is not None:
            content = described.setdefault("content", {})
            content[example.media_type] = {"schema": _schema_of(example.response)}
    return responses | {"default": {"description": "An error.", "content": error}}


def _schema_of(response: object) -> Schema:
    if isinstance(response, str):
        return TEXT
    return OBJECTS if isinstance(response, list) else OBJECT
