import re
from http import HTTPStatus
from pathlib import Path

import pytest
from django.http import Http404
from django.test import RequestFactory
from rest_framework.exceptions import MethodNotAllowed, ValidationError
from rest_framework.request import Request

from chat.api.exception_handler import STATUSES, error_response, handle
from chat.domain import errors
from project.settings import BASE_DIR


def all_errors(
    kind: type[errors.ParleyError] = errors.ParleyError,
) -> list[type[errors.ParleyError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in all_errors(child))]


OWN = [kind for kind in all_errors() if kind.__module__.startswith(errors.__name__)]


@pytest.mark.parametrize("kind", OWN, ids=lambda kind: kind.code)
def test_every_error_has_a_documented_status(kind: type[errors.ParleyError]) -> None:
    assert kind.code in STATUSES
    page = (Path(BASE_DIR) / "docs" / "api.md").read_text()
    documented = re.findall(r"^\| `([a-z_]+)` \| (\d+) \|", page, re.MULTILINE)
    assert (kind.code, str(STATUSES[kind.code].value)) in documented


def test_error_codes_are_unique() -> None:
    codes = [kind.code for kind in OWN]
    assert sorted(codes) == sorted(STATUSES)


@pytest.mark.parametrize(("seconds", "header"), [(0, 1), (0.2, 1), (1, 1), (1.1, 2), (60, 60)])
def test_retry_after_is_whole_seconds_and_never_zero(seconds: float, header: int) -> None:
    response = error_response(errors.RateLimited(retry_after=seconds), RequestFactory().get("/"))
    assert (response.status_code, response.headers["Retry-After"]) == (429, str(header))


@pytest.mark.parametrize("kind", OWN, ids=lambda kind: kind.code)
def test_every_429_and_503_has_retry_after(kind: type[errors.ParleyError]) -> None:
    if issubclass(kind, errors.Unavailable):
        response = error_response(kind(), RequestFactory().get("/"))
        assert response.status_code in {HTTPStatus.TOO_MANY_REQUESTS, 503}
        assert "Retry-After" in response.headers


def test_django_and_drf_exceptions_are_converted() -> None:
    context = {"request": Request(RequestFactory().get("/"))}
    statuses = [
        handle(exception, context)
        for exception in (Http404(), MethodNotAllowed("PUT"), ValidationError({"a": {"b": ["no"]}}))
    ]
    assert [response and response.status_code for response in statuses] == [404, 405, 400]
    assert statuses[-1] is not None
    assert b'"param":"a.b"' in statuses[-1].content
    assert handle(ZeroDivisionError(), context) is None
