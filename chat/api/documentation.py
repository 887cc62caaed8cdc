"""Descriptions and examples of operations in the OpenAPI schema, which /docs shows.

Each package that adds operations has a module `examples`. A test sends each example and compares
the response.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

JSON = dict[str, Any]
EVENT_STREAM = "text/event-stream"
UNNAMED = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A request and its response."""

    # Tells the requests of an operation apart, if it has several examples.
    name: str = UNNAMED
    # A JSON object, or the text of a file.
    body: JSON | str | None = None
    # Parameters of the query.
    query: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    # JSON, or the text of an event stream; None for a file, and for a response without body.
    response: Any = None

    @property
    def media_type(self) -> str:
        """The media type of the response, unless that is a file."""
        return EVENT_STREAM if isinstance(self.response, str) else "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """What /docs shows of an operation, besides its fields."""

    tag: str
    description: str
    examples: tuple[Example, ...]


def event(data: JSON | str, **fields: object) -> str:
    """Return an event of a stream: its fields, and its data, which is a text or JSON."""
    text = data if isinstance(data, str) else orjson.dumps(data).decode()
    lines = [f"{name}: {value}\n" for name, value in fields.items()]
    return f"{''.join(lines)}data: {text}\n\n"


def document_all(
    result: JSON, documented: Mapping[str, Documented], *, ids: Mapping[str, str]
) -> None:
    """Add descriptions and examples to the operations of an OpenAPI schema.

    documented: by operation id. ids: examples of path parameters.
    """
    for operations in result["paths"].values():
        for operation in operations.values():
            if known := documented.get(operation["operationId"]):
                document(operation, known, ids=ids)


def document(operation: JSON, known: Documented, *, ids: Mapping[str, str]) -> None:
    """Add the description and the examples to one operation of an OpenAPI schema."""
    operation["tags"] = [known.tag]
    operation["description"] = known.description
    bodies = {each.name: each.body for each in known.examples if each.body is not None}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        _show(content, bodies)
    for parameter in operation.get("parameters", []):
        _show(parameter, _values_of(parameter, known, ids))
    for status, response in operation["responses"].items():
        for media_type, content in response.get("content", {}).items():
            _show(content, _responses_of(known, status, media_type))


def _values_of(parameter: JSON, known: Documented, ids: Mapping[str, str]) -> JSON:
    name = parameter["name"]
    if parameter["in"] == "path":
        return {UNNAMED: ids[name]}
    return {each.name: each.query[name] for each in known.examples if name in each.query}


def _responses_of(known: Documented, status: str, media_type: str) -> JSON:
    return {
        each.name: each.response
        for each in known.examples
        if each.response is not None and (str(each.status), each.media_type) == (status, media_type)
    }


def _show(described: JSON, examples: JSON) -> None:
    """Add examples to a parameter, or to a media type of a body."""
    if UNNAMED in examples:
        described["example"] = examples[UNNAMED]
    elif examples:
        described["examples"] = {name: {"value": value} for name, value in examples.items()}
