"""The origin checks of requests and WebSockets."""

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from chat.api.origin import check_request, check_websocket
from chat.domain.errors import NotAllowed

pytestmark = pytest.mark.security("S06", "S56")


def allowed(*origins: str) -> bool:
    try:
        check_websocket(
            [(b"host", b"chat.example"), *((b"origin", each.encode()) for each in origins)]
        )
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


def may_call(method: str = "POST", **headers: str) -> bool:
    """Return whether a request to chat.example is allowed with these headers."""
    request = RequestFactory().generic(method, "/sessions")
    request.META |= {"HTTP_HOST": "chat.example:80", **headers}
    try:
        check_request(request)
    except NotAllowed:
        return False
    return True


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://chat.example", True),
        ("http://chat.example:8443", True),
        ("https://listed.example", True),
        ("https://listed.example:444", False),
        ("https://evil.example", False),
        ("https://chat.example.evil.example", False),
        ("https://chat.example,https://evil.example", False),
        ("chrome-extension://chat.example", False),
        ("null", False),
        ("http://[", False),
    ],
)
def test_pages_of_other_origins_may_not_change_anything(
    settings: Settings, origin: str, *, expected: bool
) -> None:
    settings.CORS_ORIGINS = ["https://listed.example"]
    for hosts in (["chat.example"], ["*"]):
        settings.ALLOWED_HOSTS = hosts
        assert may_call(HTTP_ORIGIN=origin) is expected
        assert may_call("DELETE", HTTP_ORIGIN=origin) is expected
        assert may_call(HTTP_ORIGIN=origin, HTTP_SEC_FETCH_SITE="cross-site") is expected
        assert may_call("GET", HTTP_ORIGIN=origin)


def test_other_host_names_of_the_server_are_its_own(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["chat.example", ".friends.example"]
    assert may_call(HTTP_ORIGIN="https://a.friends.example", HTTP_SEC_FETCH_SITE="cross-site")


@pytest.mark.parametrize(
    ("site", "expected"),
    [("same-origin", True), ("none", True), ("same-site", False), ("cross-site", False)],
)
def test_sec_fetch_site_counts_without_an_origin(site: str, *, expected: bool) -> None:
    assert may_call(HTTP_SEC_FETCH_SITE=site) is expected
    assert may_call("GET", HTTP_SEC_FETCH_SITE=site)


def test_own_page_is_recognized_behind_a_proxy_that_changes_the_host(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["backend"]
    origin = "https://public.example:8443"
    assert may_call(HTTP_ORIGIN=origin, HTTP_SEC_FETCH_SITE="same-origin")
    assert not may_call(HTTP_ORIGIN=origin)


def test_programs_send_no_origin() -> None:
    assert may_call()
    assert may_call("DELETE")
