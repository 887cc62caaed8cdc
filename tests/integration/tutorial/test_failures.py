"""Clients get their replies when workers and web processes are killed."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.tutorial.client import TutorialClient
from tests.integration.tutorial.conftest import ENV, MODEL

CLIENTS = 20


def text_of(number: int) -> str:
    """Return a message whose reply starts after a second."""
    return f"{number} asks [[latency=1]]"


def wait_for_texts(user: TutorialClient, count: int) -> list[str]:
    """Return the texts of the user's session, once there are `count`."""

    def messages() -> list[str] | None:
        texts = [message["msg"] for message in user.refresh()["messages"]]
        return texts if len(texts) == count else None

    result = wait_until(messages)
    assert result is not None
    return result


@pytest.mark.thorough
def test_clients_get_their_replies_after_a_worker_is_killed(
    build_stack: Callable[..., Stack],
) -> None:
    stack = build_stack(
        env=ENV | {"CHAT_LEASE_TTL": "1", "CHAT_LEASE_RENEWAL_INTERVAL": "0.3"}, model_options=MODEL
    ).start(webs=2)
    users = [TutorialClient(stack.web(number % 2).url) for number in range(CLIENTS)]
    with ExitStack() as sockets:
        open_sockets = {}
        for number, user in enumerate(users):
            user.open_session()
            with ExitStack() as own:
                socket = own.enter_context(user.connect())
                socket.send(text_of(number))
                wait_for_texts(user, 1)
                if number < CLIENTS / 2:
                    open_sockets[number] = socket
                    sockets.push(own.pop_all())
        stack.worker().kill()
        stack.worker(1).start()
        for number, socket in open_sockets.items():
            assert socket.receive()["msg"] == f"Bot: echo: {text_of(number)}"
    for number, user in enumerate(users):
        text = text_of(number)
        assert wait_for_texts(user, 2) == [f"Human: {text}", f"Bot: echo: {text}"]


@pytest.mark.thorough
def test_reply_arrives_after_a_web_process_is_killed(
    build_stack: Callable[..., Stack],
) -> None:
    stack = build_stack(env=ENV, model_options=MODEL).start(webs=2)
    user = TutorialClient(stack.web(0).url)
    user.open_session()
    with user.connect() as socket:
        socket.send(text_of(0))
        wait_for_texts(user, 1)
        stack.web(0).kill()
        assert socket.close_code() == 1006
    user.url = stack.web(1).url
    with user.connect() as socket:
        assert socket.receive()["msg"] == f"Bot: echo: {text_of(0)}"
        assert socket.request("and now?") == "echo: and now?"
