"""docs/calls.md: a request and its response for every call of the API.

`python -m checks --write` writes the page, from the examples that a test sends.
"""

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from textwrap import fill
from typing import Any
from urllib.parse import urlencode

from drf_spectacular.generators import SchemaGenerator

from chat.api import examples as api
from chat.api.documentation import Documented, Example
from chat.openai_api import examples as openai_api
from chat.tutorial import examples as tutorial
from chat.ui_api import examples as ui_api
from checks.files import at, read
from project.runner.process import ROOT

PAGE = "docs/calls.md"
INTRODUCTION = """\
A request and its response for each call. A test sends each request and compares the response; ids,
tokens and times differ. `/docs` of a running server shows the same, with all fields, and sends
requests. [The API page](api.md) explains how the calls work together, and lists their
[errors](api.md#errors).

Requests have the header `Authorization: Bearer <token>`; those below *Service* and *Tutorial* do
not need it. Bodies are JSON, except files."""
# Characters of a line.
WIDTH = 116
DOCUMENTED: dict[str, Documented] = {
    **api.OPERATIONS,
    **tutorial.OPERATIONS,
    **openai_api.OPERATIONS,
    **ui_api.OPERATIONS,
}
IDS = {**api.IDS, **openai_api.IDS, **ui_api.IDS}
# Data of an event, which is cut.
DATA = re.compile(r"^(data: .{180}).+$", re.MULTILINE)


def layout(value: Any, indent: int = 0) -> str:
    """Return JSON in lines of about `WIDTH` characters, with as many members as fit."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) <= WIDTH - indent or not isinstance(value, list | dict):
        return line
    inner = indent + 1
    if isinstance(value, list):
        return f"[{_fill([layout(each, inner) for each in value], inner)}]"
    members = [
        f"{json.dumps(name)}: {layout(each, inner + len(name) + 4)}" for name, each in value.items()
    ]
    return f"{{{_fill(members, inner)}}}"


def _fill(parts: list[str], indent: int) -> str:
    lines = [parts[0]]
    for part in parts[1:]:
        joined = f"{lines[-1]}, {part}"
        is_short = "\n" not in joined and len(joined) <= WIDTH - indent
        lines[-1:] = [joined] if is_short else [f"{lines[-1]},", part]
    return f"\n{' ' * indent}".join(lines)


def page() -> str:
    """Return the page."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    schema = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    calls = [
        (method, path, operation)
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]
    sections = ["# All calls\n", *map(_prose, INTRODUCTION.split("\n\n"))]
    for tag in schema["tags"]:
        sections += [f"## {tag['name']}\n", _prose(tag["description"])]
        sections += [_section(*call) for call in calls if call[2]["tags"] == [tag["name"]]]
    return "\n".join(sections)


def _prose(text: str) -> str:
    return fill(text, 120, break_long_words=False, break_on_hyphens=False) + "\n"


def _section(method: str, path: str, operation: Any) -> str:
    known = DOCUMENTED[operation["operationId"]]
    description = f"{operation['summary']} {known.description}"
    lines = [f"### {method.upper()} {path}\n", _prose(description)]
    for example in known.examples:
        if example.name:
            lines.append(f"*{example.name}*\n")
        lines.append(_block("http", _request(method, path, example)))
        lines.append(f"{example.status} {HTTPStatus(example.status).phrase}\n")
        if isinstance(example.response, str):
            lines.append(_block("text", DATA.sub(r"\1...", example.response.strip())))
        elif example.response is not None:
            lines.append(_block("json", layout(example.response)))
    return "\n".join(lines)


def _request(method: str, path: str, example: Example) -> str:
    query = {name: json.dumps(each).strip('"') for name, each in example.query.items()}
    line = f"{method.upper()} {path.format_map(IDS)}{'?' if query else ''}{urlencode(query)}"
    body = example.body
    if body is None:
        return line
    return f"{line}\n\n{body if isinstance(body, str) else layout(body)}"


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```\n"


def write_calls() -> None:
    (ROOT / PAGE).write_text(page())


def generated_calls() -> Iterator[str]:
    """The page shows the examples of the OpenAPI schema."""
    if read(PAGE) != page():
        yield f"{at(PAGE)}: outdated; run .venv/bin/python -m checks --write"


CHECKS = (generated_calls,)
