"""Views free what they hold without the garbage collector."""

import gc
import weakref
from collections.abc import Iterator

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from chat.api import auth
from chat.api.views.files import File, Files
from chat.conversation import files
from chat.domain import Caller
from chat.store import files as store

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def no_collection(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Reference counting only, and files without a store."""

    def authenticate(_: object, session_id: str) -> Caller:
        return Caller.internal(session_id)

    monkeypatch.setattr(auth, "authenticate_session", authenticate)
    monkeypatch.setattr(store, "put", lambda *_: None)
    monkeypatch.setattr(files, "read", lambda *_: (files.describe(PNG), PNG))
    gc.disable()
    yield
    gc.enable()


@pytest.mark.security("S47")
@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(
    ("method", "query", "status"),
    [
        ("GET", "", 200),
        ("HEAD", "", 200),
        ("GET", "?no=1", 400),
        ("PATCH", "", 405),
        ("POST", "", 201),
        ("POST", "?no=1", 400),
    ],
)
def test_bodies_are_freed_after_the_request(method: str, query: str, status: int) -> None:
    request = RequestFactory().generic(method, f"/{query}", PNG)
    body = request.META["wsgi.input"]
    view, names = (Files, ("s",)) if method == "POST" else (File, ("s", "f"))
    response: HttpResponse = view.as_view()(request, *names)
    assert response.status_code == status
    held = [weakref.ref(each) for each in (body, request, response)]
    del body, request, response
    assert [each() for each in held] == [None] * 3
