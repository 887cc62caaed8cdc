import pytest
from pytest_django import Settings

from chat.domain.errors import NotAllowed
from chat.realtime.origin import check

pytestmark = pytest.mark.security("S06")


def allowed(*origins: str) -> bool:
    try:
        check([(b"host", b"chat.example"), *((b"origin", each.encode()) for each in origins)])
    except NotAllowed:
        return False
    return True


def test_allowed_hosts_are_allowed_on_any_port(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["chat.example", ".friends.example", "[::1]"]
    assert allowed("https://chat.example")
    assert allowed("http://CHAT.example:8000")
    assert allowed("https://a.friends.example")
    assert allowed("http://[::1]:8000")
    assert not allowed("https://other.example")
    assert not allowed("https://chat.example.evil.example")
    assert not allowed("https://evil.example/chat.example")
    assert not allowed("ftp://chat.example")
    assert not allowed("https://user@chat.example")
    assert not allowed("chat.example")


def test_malformed_origin_is_rejected() -> None:
    assert not allowed("http://[")
    assert not allowed("http://[chat.example]")
    assert not allowed("://:99999")


def test_wildcard_allows_no_origin(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.CORS_ORIGINS = ["*"]
    settings.CHAT_SOCKET_ORIGINS = "*"
    assert not allowed("https://evil.example")
    assert not allowed("null")
    assert not allowed()


def test_listed_origins_are_compared_exactly(settings: Settings) -> None:
    settings.CORS_ORIGINS = ["https://listed.example"]
    settings.CHAT_SOCKET_ORIGINS = "https://a.example, https://b.example:444"
    assert allowed("https://listed.example")
    assert allowed("https://a.example")
    assert allowed("https://b.example:444")
    assert not allowed("https://b.example")
    assert not allowed("http://listed.example")


def test_null_and_missing_origins_require_the_setting(settings: Settings) -> None:
    assert not allowed("null")
    assert not allowed()
    assert not allowed("")
    settings.CHAT_SOCKET_ORIGINS = "null"
    assert allowed("null")
    assert not allowed()
    settings.CHAT_SOCKET_ORIGINS = "missing"
    assert allowed()
    assert not allowed("null")


def test_two_origin_headers_are_rejected(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["chat.example"]
    assert not allowed("https://chat.example", "https://chat.example")
