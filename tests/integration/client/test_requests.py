"""Requests are retried until they succeed, and take effect once."""

import time

import pytest

from parley_client import APIConnectionError, APIStatusError, Client
from tests.integration.client import payloads
from tests.integration.client.scripted_server import Request, Responder, ScriptedServer


def created(request: Request) -> None:
    request.respond(201, payloads.session())


def rate_limited_for_a_minute(request: Request) -> None:
    request.respond_error(429, "rate_limited", Retry_After="60")


def error_and_attempts(responder: Responder) -> tuple[APIStatusError, int]:
    """Open a session; return the error and the number of requests."""
    with (
        ScriptedServer(responder) as server,
        Client(server.url) as client,
        pytest.raises(APIStatusError) as caught,
    ):
        client.open()
    return caught.value, len(server.requests)


def test_retries_of_a_post_share_one_idempotency_key() -> None:
    def unavailable(request: Request) -> None:
        request.respond_error(503, "store_unavailable")

    responders = [Request.drop, unavailable, created]
    with ScriptedServer(*responders) as server, Client(server.url) as client:
        client.open(name="Ada")
    keys = {request.headers["Idempotency-Key"] for request in server.requests}
    assert len(server.requests) == 3
    assert len(keys) == 1
    assert len(keys.pop()) >= 16


def test_each_post_has_its_own_idempotency_key() -> None:
    with ScriptedServer(created) as server, Client(server.url) as client:
        client.open()
        client.open()
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 2


def test_retry_after_is_respected() -> None:
    def rate_limited(request: Request) -> None:
        request.respond_error(429, "rate_limited", Retry_After="1")

    with ScriptedServer(rate_limited, created) as server, Client(server.url) as client:
        started_at = time.monotonic()
        client.open()
    assert 1 <= time.monotonic() - started_at < 10


def test_retry_after_beyond_the_retry_timeout_raises_at_once() -> None:
    error, attempts = error_and_attempts(rate_limited_for_a_minute)
    assert (error.retry_after, attempts) == (60, 1)


@pytest.mark.parametrize(
    ("status", "code"), [(400, "invalid_request"), (409, "session_busy"), (429, "session_full")]
)
def test_permanent_errors_are_raised_at_once(status: int, code: str) -> None:
    error, attempts = error_and_attempts(lambda request: request.respond_error(status, code))
    assert attempts == 1
    assert (error.code, error.message, error.request_id) == (code, f"It is {code}.", "req_1")
    assert (error.status, error.param) == (status, "x")


def test_error_page_of_a_proxy_becomes_an_error_with_its_status() -> None:
    error, _ = error_and_attempts(lambda request: request.respond(413))
    assert (error.code, error.status) == ("http_413", 413)


def test_redirects_are_not_followed() -> None:
    def moved(request: Request) -> None:
        request.respond(301, Location="https://elsewhere.example/sessions")

    error, _ = error_and_attempts(moved)
    assert error.code == "http_301"
    assert "elsewhere" in error.message


def test_unreachable_server_raises_after_the_retry_timeout() -> None:
    with ScriptedServer(created) as server:
        url = server.url
    started_at = time.monotonic()
    with Client(url, retry_timeout=0.5) as client, pytest.raises(APIConnectionError) as caught:
        client.models()
    assert caught.value.code == "unreachable"
    assert time.monotonic() - started_at < 10


def test_text_is_sent_as_utf_8_without_escapes() -> None:
    with ScriptedServer(created) as server, Client(server.url) as client:
        client.open(system_prompt="漢字 😀")
    assert "漢字 😀".encode() in server.requests[0].body
    assert server.requests[0].headers["Content-Type"] == "application/json"


def test_deleting_a_deleted_session_is_not_an_error() -> None:
    def gone(request: Request) -> None:
        request.respond_error(404, "session_not_found")

    with ScriptedServer(created, Request.drop, gone) as server, Client(server.url) as client:
        client.open().delete()
    assert [request.method for request in server.requests] == ["POST", "DELETE", "DELETE"]


@pytest.mark.parametrize("token", ["", "nonsense", "ses_1", "ses/../1.secret", "é.secret"])
def test_malformed_tokens_are_not_sent(token: str) -> None:
    with (
        ScriptedServer(created) as server,
        Client(server.url) as client,
        pytest.raises(APIStatusError),
    ):
        client.attach(token)
    assert server.requests == []


def test_attach_or_open_keeps_the_session_on_temporary_errors() -> None:
    with (
        ScriptedServer(rate_limited_for_a_minute, created) as server,
        Client(server.url) as client,
        pytest.raises(APIStatusError),
    ):
        client.attach_or_open(payloads.TOKEN)
    assert [request.method for request in server.requests] == ["GET"]


def test_base_url_defaults_to_parley_url(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(created) as server, Client(server.url) as client:
        monkeypatch.setenv("PARLEY_URL", server.url)
        with Client() as default_client:
            assert default_client.open().id == client.open().id


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "http://"])
def test_invalid_base_url_raises_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="not an http"):
        Client(url)
