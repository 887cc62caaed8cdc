"""The tutorial's REST API: formats, errors, CORS."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import requests

from tests.harness.stack import Stack
from tests.integration.tutorial.client import ORIGIN, TutorialClient


def seconds_ago(timestamp: str) -> float:
    """Return the age of a time in the tutorial's format."""
    return (datetime.now(UTC) - datetime.fromisoformat(f"{timestamp}+00:00")).total_seconds()


def test_session_has_the_tutorials_format(echo_stack: Stack) -> None:
    session = TutorialClient(echo_stack.web().url).open_session("Grace")
    assert session.keys() == {"token", "name", "messages", "session_start"}
    assert session["name"] == "Grace"
    assert session["messages"] == []
    assert -1 < seconds_ago(session["session_start"]) < 60


def test_tutorial_token_works_with_the_api(ada: TutorialClient) -> None:
    session_id = ada.token.partition(".")[0]
    headers = {"Authorization": f"Bearer {ada.token}"}
    response = requests.get(f"{ada.url}/sessions/{session_id}", headers=headers, timeout=9)
    assert response.json()["name"] == "Ada"
    assert ada.refresh()["token"] == ada.token


def test_refreshed_session_contains_speakers(ada: TutorialClient) -> None:
    with ada.connect() as socket:
        received = [socket.request("one"), socket.request("two")]
    session = ada.refresh()
    assert session["name"] == "Ada"
    texts = [message["msg"] for message in session["messages"]]
    assert texts == ["Human: one", f"Bot: {received[0]}", "Human: two", f"Bot: {received[1]}"]
    assert all(message.keys() == {"id", "msg", "timestamp"} for message in session["messages"])
    assert len({message["id"] for message in session["messages"]}) == 4
    assert all(-1 < seconds_ago(message["timestamp"]) < 60 for message in session["messages"])


def test_refreshed_session_omits_unfinished_replies(ada: TutorialClient) -> None:
    with ada.connect() as socket:
        socket.send("slow [[latency=1]]")
        socket.send("next")
        socket.receive()
        assert [each["msg"][:5] for each in ada.refresh()["messages"]][:2] == ["Human", "Bot: "]
        socket.receive()
    assert [each["msg"][:5] for each in ada.refresh()["messages"]] == ["Human", "Bot: "] * 2


@pytest.mark.security("S02")
@pytest.mark.parametrize(
    "token", ["", "nonsense", "ses_000000000000000000000000." + "A" * 43, "é", "a/b?c"]
)
def test_unknown_token_returns_400(echo_stack: Stack, token: str) -> None:
    response = TutorialClient(echo_stack.web().url).request("GET", "/refresh_token", token=token)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("query", [{}, {"name": ""}, {"name": "x" * 201}, {"name": "x", "b": "c"}])
def test_session_requires_only_a_name(echo_stack: Stack, query: dict[str, str]) -> None:
    response = TutorialClient(echo_stack.web().url).request("POST", "/token", **query)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")


def test_tutorials_origin_gets_cors_headers(ada: TutorialClient) -> None:
    for response in (
        ada.request("POST", "/token", name="Ada"),
        ada.request("GET", "/refresh_token", token=ada.token),
        ada.request("GET", "/refresh_token", token="unknown"),
    ):
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN


@pytest.mark.security("S04")
def test_tokens_in_urls_are_not_logged(echo_stack: Stack, ada: TutorialClient) -> None:
    with ada.connect() as socket:
        socket.request("hello")
    ada.refresh()
    secret = ada.token.partition(".")[2]
    ada.request("GET", "/refresh_token", token=ada.token[:-1])
    ada.request("GET", "/refresh_tokens", token=ada.token)
    for process in (echo_stack.web(0), echo_stack.web(1), echo_stack.worker(), echo_stack.redis):
        assert secret[:-1] not in process.log


@pytest.mark.security("S04")
def test_setting_disables_the_tutorial(build_stack: Callable[..., Stack]) -> None:
    stack = build_stack(env={"CHAT_TUTORIAL": "false"}).start(workers=0)
    user = TutorialClient(stack.web().url)
    assert user.request("POST", "/token", name="Ada").status_code == 404
    assert user.request("GET", "/refresh_token", token="x").status_code == 404
    with user.connect(token="x") as socket:
        assert socket.close_code() == 4404
