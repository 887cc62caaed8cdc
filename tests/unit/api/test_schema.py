"""The OpenAPI schema: which strings must not be empty, and what every operation must have."""

from collections.abc import Iterator
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator
from rest_framework import serializers

from chat.api import examples as api_examples
from chat.api.serializers import BODIES
from chat.openai_api import examples as openai_examples
from chat.tutorial import examples as tutorial_examples
from chat.ui_api import examples as ui_examples

AnyField = serializers.Field[Any, Any, Any, Any]
# Parameters for which an empty value means none.
OPTIONAL = {"q", "If-None-Match", "ticket", "filename"}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    untyped: Any = SchemaGenerator
    described: dict[str, Any] = untyped().get_schema(request=None, public=True)
    return described


def string_fields(schema: dict[str, Any]) -> Iterator[tuple[str, AnyField, Any]]:
    """Yield path, field and description of each string in a request body."""
    for body in BODIES:
        described = schema["components"]["schemas"].get(body.__name__, {}).get("properties", {})
        for name, field in body().fields.items():
            if isinstance(field, serializers.CharField):
                yield f"{body.__name__}.{name}", field, described[name]
            elif isinstance(field, serializers.ListField) and isinstance(
                field.child, serializers.CharField
            ):
                yield f"{body.__name__}.{name}[]", field.child, described[name]["items"]


def rejects_empty(field: AnyField) -> bool:
    try:
        field.run_validation("")
    except serializers.ValidationError:
        return True
    return False


def test_min_length_tells_which_fields_reject_empty_strings(schema: dict[str, Any]) -> None:
    fields = list(string_fields(schema))
    assert {path: bool(each.get("minLength")) for path, _, each in fields} == {
        path: rejects_empty(field) for path, field, _ in fields
    }
    assert {"NewMessageBody.content", "OptionsBody.stop[]"} <= {path for path, _, _ in fields}


def test_parameters_that_reject_empty_values_have_a_min_length(schema: dict[str, Any]) -> None:
    without = {
        parameter["name"]
        for path in schema["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] != "path"  # an empty segment is another path
        and parameter["schema"]["type"] == "string"
        and not parameter["schema"].keys() & {"enum", "minLength"}
    }
    assert without == OPTIONAL


def operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in schema["paths"].values():
        yield from path.values()


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield name and description of each path parameter, body and response without error."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            yield parameter["name"], parameter
    yield from operation.get("requestBody", {}).get("content", {}).items()
    for status, response in operation["responses"].items():
        for media_type, content in response.get("content", {}).items():
            # The content of a file is not shown.
            if status.startswith("2") and content["schema"].get("format") != "binary":
                yield f"{status} {media_type}", content


def test_all_operations_have_a_summary_a_description_and_a_tag(schema: dict[str, Any]) -> None:
    """tests/integration/examples/test_schema_examples.py sends the examples."""
    tags = {tag["name"] for tag in schema["tags"] if tag["description"]}
    without = {
        operation["operationId"]
        for operation in operations(schema)
        if not (operation["summary"] and operation.get("description"))
        or not tags.issuperset(operation.get("tags", [""]))
    }
    assert not without


def test_all_parameters_bodies_and_responses_have_an_example(schema: dict[str, Any]) -> None:
    without = {
        (operation["operationId"], name)
        for operation in operations(schema)
        for name, content in contents(operation)
        if not content.keys() & {"example", "examples"}
    }
    assert not without


def test_all_examples_are_of_operations(schema: dict[str, Any]) -> None:
    known = {operation["operationId"] for operation in operations(schema)}
    packages = (api_examples, openai_examples, tutorial_examples, ui_examples)
    documented = [name for package in packages for name in package.OPERATIONS]
    assert sorted(documented) == sorted(known)
