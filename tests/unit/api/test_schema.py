"""The OpenAPI schema says which strings must not be empty."""

from collections.abc import Iterator
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator
from rest_framework import serializers

from chat.api.serializers import BODIES

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
