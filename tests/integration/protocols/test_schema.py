"""The OpenAPI description of other vendors' protocols: their paths and fields."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from django.urls import URLPattern

from chat.openai_api import urls as openai_urls
from chat.ui_api import urls as ui_urls
from project.runner.process import ROOT
from tests.harness.stack import Stack
from tests.integration.examples.schema_examples import values_of

TIMEOUT = 30
NAME = re.compile(r"\{\w+\}")
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


def patterns() -> Iterator[URLPattern]:
    for pattern in [*openai_urls.urlpatterns, *ui_urls.urlpatterns]:
        if str(pattern.pattern):  # the last one is for all other paths
            yield pattern


@pytest.fixture(scope="module")
def paths(stack: Stack) -> Any:
    return requests.get(f"{stack.web().url}/schema", timeout=TIMEOUT).json()["paths"]


def test_all_paths_are_described_with_their_methods(
    stack: Stack, api_key: str, paths: dict[str, Any]
) -> None:
    described = {path for path in paths if path.startswith(("/v1/", "/ui/"))}
    served = {"/" + PARAMETER.sub(r"{\1}", str(each.pattern)) for each in patterns()}
    assert described == served
    for path in described:
        response = requests.patch(
            stack.web().url + path.format_map(Ids()),
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=TIMEOUT,
        )
        allowed = set(response.headers["Allow"].lower().split(", "))
        assert allowed == set(paths[path]), path


def test_all_paths_are_in_the_docs(paths: dict[str, Any]) -> None:
    pages = [(ROOT / "docs" / name).read_text() for name in ("openai.md", "ai-sdk.md")]
    text = NAME.sub("{}", "".join(pages))
    for path in paths:
        if path.startswith(("/v1/", "/ui/")):
            assert NAME.sub("{}", path) in text


class Ids(dict[str, str]):
    """An id for every parameter of a path."""

    def __missing__(self, name: str) -> str:
        return "x"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/ui/chat"])
def test_described_fields_are_known(
    stack: Stack, api_key: str, paths: dict[str, Any], path: str
) -> None:
    """A field that is not supported is named by an error before any other mistake."""
    content = paths[path]["post"]["requestBody"]["content"]["application/json"]
    example = next(iter(values_of(content).values()))
    for name in content["schema"]["properties"]:
        response = requests.post(
            stack.web().url + path,
            json={**example, name: {"no such member": 1}},
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=TIMEOUT,
        )
        error = response.json()["error"]
        assert (error["code"], error["param"]) != ("unsupported_parameter", name)
