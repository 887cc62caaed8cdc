"""URLs as the start of a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.http.target import Target


@pytest.mark.parametrize(
    ("url", "host", "port", "line"),
    [
        ("http://a", "a", 80, "/ HTTP/1.1\r\nHost: a"),
        ("https://A.Example:443/b?c=d#e", "a.example", 443, "/b?c=d HTTP/1.1\r\nHost: a.example"),
        ("http://a:8080?b", "a", 8080, "/?b HTTP/1.1\r\nHost: a:8080"),
        ("http://[::1]:81/", "::1", 81, "/ HTTP/1.1\r\nHost: [::1]:81"),
        ("http://me:secret@a/", "a", 80, "/ HTTP/1.1\r\nHost: a"),
        ("http://bücher.example/ü b", "xn--bcher-kva.example", 80,
         "/%C3%BC%20b HTTP/1.1\r\nHost: xn--bcher-kva.example"),
        ("http://a/%C3%BC/~b;c,d?e=[1]&f=+", "a", 80,
         "/%C3%BC/~b;c,d?e=[1]&f=+ HTTP/1.1\r\nHost: a"),
    ],
)  # fmt: skip
def test_target_of_a_url(url: str, host: str, port: int, line: str) -> None:
    expected = Target(host, port, url.startswith("https:"), f" {line}\r\n")
    assert Target.from_url(url) == expected


@pytest.mark.parametrize(
    "url", ["", "a", "ftp://a/", "http://", "http://a:b/", "http://a:65536/", "http://a b/",
            "http://a..b/", "http://[::1", f"http://{'a' * 64}.example/"]
)  # fmt: skip
def test_invalid_url_is_an_error(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # partly Python's
        Target.from_url(url)


@given(path=st.text(), query=st.text())
def test_no_url_adds_a_line_to_the_head(path: str, query: str) -> None:
    try:
        target = Target.from_url(f"http://example.org/{path}?{query}")
    except ValueError:  # a lone surrogate
        return
    request = target.request("GET", {}, None)
    assert request.count(b"\r\n") == request.count(b"\n") == 3
    assert request.split(b"\r\n")[0].count(b" ") == 2
