from http import HTTPStatus

import pytest
from django.http import Http404
from django.test import RequestFactory
from rest_framework.exceptions import MethodNotAllowed, ValidationError
from rest_framework.request import Request

from chat.api.exception_handler import STATUSES, error_response, handle
from chat.domain import errors


def all_errors(
    kind: type[errors.ParleyError] = errors.ParleyError,
) -> list[type[errors.ParleyError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in all_errors(child))]


# Those with their own code.
OWN = [
    kind
    for kind in all_errors()
    if kind.__module__.startswith(errors.__name__) and "code" in vars(kind)
]


def test_statuses_are_those_of_errors_in_responses() -> None:
    hidden = (errors.TurnFailed, errors.InternalError)
    assert STATUSES.keys() == {kind.code for kind in OWN if not issubclass(kind, hidden)}


def test_error_codes_are_unique() -> None:
    codes = [kind.code for kind in OWN]
    assert len(codes) == len(set(codes))


def test_internal_error_becomes_an_unexpected_one() -> None:
    context = {"request": Request(RequestFactory().get("/"))}
    assert handle(errors.LeaseLost(), context) is None


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
