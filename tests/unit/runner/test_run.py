"""The start message of `manage.py run`."""

import pytest
from pytest_django import Settings

from project.runner.management.commands.run import client_url

LOCAL = ["localhost", "127.0.0.1", "[::1]"]


@pytest.mark.parametrize(
    ("hosts", "https", "prefix", "url"),
    [
        (LOCAL, False, "", "http://127.0.0.1:8000"),
        (LOCAL, False, "/chat", "http://127.0.0.1:8000/chat"),
        ([*LOCAL, "chat.example.org"], False, "", "http://127.0.0.1:8000"),
        (["*"], False, "", "http://127.0.0.1:8000"),
        (["localhost"], False, "", "http://localhost:8000"),
        (["chat.example.org"], False, "", "http://chat.example.org"),
        (["chat.example.org"], True, "", "https://chat.example.org"),
        ([*LOCAL, ".example.org"], True, "/chat", "https://example.org/chat"),
        (LOCAL, True, "", "https://127.0.0.1"),
    ],
)
def test_commands_to_paste_use_a_url_that_works(
    settings: Settings, hosts: list[str], https: bool, prefix: str, url: str
) -> None:
    settings.ALLOWED_HOSTS, settings.HTTPS, settings.URL_PREFIX = hosts, https, prefix
    assert client_url(8000) == url
