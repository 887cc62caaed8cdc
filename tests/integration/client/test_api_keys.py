"""The client with an API key, for a user."""

import pytest

from parley_client import APIStatusError, Client
from tests.harness.stack import Stack


def test_client_of_a_user_opens_finds_and_uses_sessions(echo_stack: Stack, key: str) -> None:
    url = echo_stack.web().url
    with Client(url, api_key=key, user="alice") as alice, Client(url, api_key=key) as tenant:
        opened = alice.open(name="Trip to Paris")
        alice.open(name="tea")
        (found,) = alice.sessions(query="paris")
        assert (found.id, found.name, found.status) == (opened.id, "Trip to Paris", "idle")
        assert len(list(alice.sessions())) == 2
        by_key = alice.session(found.id)
        assert by_key.send("echo this").text == "echo: echo this"
        assert "".join(by_key.send("and this")) == "echo: and this"
        assert tenant.session(found.id).name == "Trip to Paris"
        with Client(url, api_key=key, user="bob") as bob:
            assert list(bob.sessions()) == []
            with pytest.raises(APIStatusError, match="not found"):
                bob.session(found.id)
