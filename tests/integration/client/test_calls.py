"""A call is made until it is answered, and done once."""

import time

import pytest

from parley_client import Client, Refusal, Unreachable
from tests.integration.client import told
from tests.integration.client.server import Answer, Asked, Server


def opened(asked: Asked) -> None:
    asked.reply(201, told.session())


def refusal(answer: Answer) -> tuple[Refusal, int]:
    """Return what opening a session raises, and how often it was tried."""
    with Server(answer) as server, Client(server.url) as client, pytest.raises(Refusal) as caught:
        client.open()
    return caught.value, len(server.asked)


def test_a_post_keeps_its_idempotency_key_over_all_its_tries() -> None:
    answers = [Asked.drop, lambda asked: asked.refuse(503, "store_unavailable"), opened]
    with Server(*answers) as server, Client(server.url) as client:
        client.open(name="Ada")
    keys = {asked.headers["Idempotency-Key"] for asked in server.asked}
    assert len(server.asked) == 3
    assert len(keys) == 1
    assert len(keys.pop()) >= 16


def test_each_post_has_a_key_of_its_own() -> None:
    with Server(opened) as server, Client(server.url) as client:
        client.open()
        client.open()
    assert len({asked.headers["Idempotency-Key"] for asked in server.asked}) == 2


def test_retry_after_is_waited_for() -> None:
    def limited(asked: Asked) -> None:
        asked.refuse(429, "rate_limited", Retry_After="1")

    with Server(limited, opened) as server, Client(server.url) as client:
        began = time.monotonic()
        client.open()
    assert 1 <= time.monotonic() - began < 10


def test_who_has_no_patience_for_retry_after_is_told_at_once() -> None:
    def limited(asked: Asked) -> None:
        asked.refuse(429, "rate_limited", Retry_After="60")

    error, tries = refusal(limited)
    assert (error.retry_after, tries) == (60, 1)


@pytest.mark.parametrize(
    ("status", "code"), [(400, "invalid_request"), (409, "session_busy"), (429, "session_full")]
)
def test_what_will_not_pass_is_raised_at_once(status: int, code: str) -> None:
    error, tries = refusal(lambda asked: asked.refuse(status, code))
    assert tries == 1
    assert (error.code, error.message, error.request_id) == (code, f"It is {code}.", "req_1")
    assert (error.status, error.param) == (status, "x")


def test_a_proxys_page_is_an_error_with_its_status() -> None:
    error, _ = refusal(lambda asked: asked.reply(413))
    assert (error.code, error.status) == ("http_413", 413)


def test_a_redirect_is_not_followed() -> None:
    def moved(asked: Asked) -> None:
        asked.reply(301, Location="https://elsewhere.example/sessions")

    error, _ = refusal(moved)
    assert error.code == "http_301"
    assert "elsewhere" in error.message


def test_nobody_there_is_unreachable_when_patience_ends() -> None:
    with Server(opened) as server:
        url = server.url
    began = time.monotonic()
    with Client(url, patience=0.5) as client, pytest.raises(Unreachable) as caught:
        client.models()
    assert caught.value.code == "unreachable"
    assert time.monotonic() - began < 10


def test_text_travels_as_it_is() -> None:
    with Server(opened) as server, Client(server.url) as client:
        client.open(system_prompt="漢字 😀")
    assert "漢字 😀".encode() in server.asked[0].body
    assert server.asked[0].headers["Content-Type"] == "application/json"


def test_deleting_what_is_gone_is_no_error() -> None:
    def gone(asked: Asked) -> None:
        asked.refuse(404, "session_not_found")

    with Server(opened, Asked.drop, gone) as server, Client(server.url) as client:
        client.open().delete()
    assert [asked.method for asked in server.asked] == ["POST", "DELETE", "DELETE"]


@pytest.mark.parametrize("token", ["", "nonsense", "ses_1", "ses/../1.secret", "é.secret"])
def test_what_is_no_token_is_not_sent(token: str) -> None:
    with Server(opened) as server, Client(server.url) as client, pytest.raises(Refusal):
        client.resume(token)
    assert server.asked == []


def test_a_token_is_not_given_up_for_what_may_pass() -> None:
    def limited(asked: Asked) -> None:
        asked.refuse(429, "rate_limited", Retry_After="60")

    with Server(limited, opened) as server, Client(server.url) as client, pytest.raises(Refusal):
        client.resume_or_open(told.TOKEN)
    assert [asked.method for asked in server.asked] == ["GET"]


def test_where_parley_is_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(opened) as server, Client(server.url) as client:
        monkeypatch.setenv("PARLEY_URL", server.url)
        with Client() as unnamed:
            assert unnamed.open().id == client.open().id


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "http://"])
def test_what_is_no_url_is_said_so_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="no http"):
        Client(url)
