"""The API's paths skip the other middleware; pages use all of it."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from chat.api.middleware import APIMiddleware

API = ["/live", "/models", "/sessions", "/docs", "/schema"]
UNKNOWN = ["/nope", "/static/nope.js"]
SITE = ["/", "/admin/"]


def reaches_next_middleware(path: str) -> bool:
    """Return whether a request for the path reached the next middleware."""
    paths: list[str] = []

    def get_response(request: HttpRequest) -> HttpResponse:
        paths.append(request.path)
        return HttpResponse()

    APIMiddleware(get_response)(RequestFactory().get(path, headers={"Host": "localhost"}))
    return bool(paths)


@pytest.mark.parametrize("path", [*API, *UNKNOWN])
def test_api_and_unknown_paths_skip_other_middleware(path: str) -> None:
    assert not reaches_next_middleware(path)


@pytest.mark.parametrize("path", SITE)
def test_site_paths_use_all_middleware(path: str) -> None:
    assert reaches_next_middleware(path)
