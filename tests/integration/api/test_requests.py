"""Paths, methods, headers and query parameters, and the headers of responses."""

from collections.abc import Callable

import pytest
from redis import Redis

from tests.harness.stack import Stack
from tests.integration.api.client import APIClient, RawConnection, error_code, status_and_code


@pytest.mark.security("S09")
@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/sessions/",
        "/models/",
        "/messages/1/2/3",
        "/sessions//messages",
        "/%2e%2e/etc",
        "/%00",
    ],
)
def test_unknown_path_returns_json_404(api: APIClient, path: str) -> None:
    assert status_and_code(api.get(path)) == (404, "not_found")


@pytest.mark.security("S07", "S09")
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_unknown_path_requires_no_csrf_token(api: APIClient, method: str) -> None:
    assert status_and_code(api.request(method, "/messages/")) == (404, "not_found")
    assert status_and_code(api.request(method, "/")) == (403, "not_allowed")


@pytest.mark.security("S09")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/sessions"),
        ("DELETE", "/messages"),
        ("GET", "/messages"),
        ("PUT", "/sessions/x"),
        ("POST", "/live"),
        ("OPTIONS", "/sessions"),
        ("TRACE", "/sessions"),
        ("PROPFIND", "/sessions"),
        ("GET", "/sessions/x/reset"),
    ],
)
def test_wrong_method_returns_json_405(api: APIClient, method: str, path: str) -> None:
    response = api.request(method, path)
    assert status_and_code(response) == (405, "method_not_allowed")
    assert method not in response.headers["Allow"]


@pytest.mark.security("S18")
@pytest.mark.parametrize("path", ["", "/messages", "/events", "?wait=1"])
def test_too_many_parameters_are_rejected(owner: APIClient, path: str) -> None:
    many = "&".join(["a=1"] * 1001)
    response = owner.get(f"{owner.path}{path}{'&' if '?' in path else '?'}{many}")
    assert status_and_code(response) == (400, "invalid_request")


@pytest.mark.security("S17")
@pytest.mark.parametrize(
    "name",
    ["{0}", "*", "a{b}c", "ses_*", "a%0d%0ab", "a%20b", "%E2%82%AC", "%7B1%7D", "a" * 2000],
)
def test_malformed_ids_are_not_found_and_leave_no_key(
    owner: APIClient, redis: Redis, name: str
) -> None:
    keys = set(redis.scan_iter())
    for path in (f"/sessions/{name}", f"/sessions/{name}/messages"):
        assert owner.get(path).status_code == 404
    assert owner.get(f"{owner.path}/messages/{name}").status_code == 404
    assert owner.post(f"{owner.path}/messages/{name}/cancel").status_code == 404
    assert set(redis.scan_iter()) == keys


@pytest.mark.security("S18")
@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("", "after=-1"),
        ("", "after=x"),
        ("", "after=1.5"),
        ("", "after="),
        ("", "after=9999999999999999"),
        ("", "after=1&after=2"),
        ("", "after=٣"),
        ("", "limit=0"),
        ("", "limit=201"),
        ("", "limit=1e1"),
        ("", "wait=-1"),
        ("", "wait=31"),
        ("", "wait=NaN"),
        ("", "wait=inf"),
        ("", "wait=1&nope=1"),
        ("", "wait="),
        ("", "nope=1"),
        ("/messages", "before=x"),
        ("/messages", "after=msg_0"),
        ("/messages", "after=msg_-1"),
        ("/messages", "before=msg_1&after=msg_2"),
        ("/messages", "limit=-1"),
        ("/messages", "order=up"),
        ("/messages", "nope"),
        ("/messages/msg_1", "x=1"),
    ],
)
def test_invalid_query_parameters_are_rejected(owner: APIClient, path: str, query: str) -> None:
    owner.post_message("hello")
    assert status_and_code(owner.get(f"{owner.path}{path}?{query}")) == (400, "invalid_request")


@pytest.mark.security("S18")
def test_future_cursor_returns_the_current_session(owner: APIClient) -> None:
    """So a client recovers after Redis was restored from a backup."""
    session = owner.get_session(after=1000, wait=5)
    assert (session["seq"], session["messages"]) == (0, [])


@pytest.mark.security("S35")
@pytest.mark.parametrize("path", ["/live", "/nope", "/sessions/x", "/sessions/x?wait=1", "/models"])
def test_api_responses_have_security_headers(api: APIClient, path: str) -> None:
    headers = api.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Server" not in headers


@pytest.mark.security("S35")
@pytest.mark.parametrize("path", ["/", "/docs", "/admin/login/", "/static/chat/docs.js"])
def test_pages_and_files_have_security_headers(api: APIClient, path: str) -> None:
    response = api.get(path)
    assert response.status_code == 200
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "same-origin"
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith(("default-src 'self'", "default-src 'none'"))
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.security("S36")
@pytest.mark.parametrize("host", ["evil.example", "", "localhost.evil.example", "127.0.0.1:x"])
@pytest.mark.parametrize("path", ["/models", "/sessions/x?wait=1", "/admin/", "/nope"])
def test_foreign_host_is_rejected(api: APIClient, path: str, host: str) -> None:
    assert status_and_code(api.get(path, headers={"Host": host})) == (400, "invalid_host")


@pytest.mark.security("S36")
def test_other_origins_get_no_cors_headers(api: APIClient) -> None:
    evil = {"Origin": "https://evil.example"}
    assert "Access-Control-Allow-Origin" not in api.get("/models", headers=evil).headers
    preflight = api.request(
        "OPTIONS", "/sessions", headers=evil | {"Access-Control-Request-Method": "POST"}
    )
    assert status_and_code(preflight) == (405, "method_not_allowed")


@pytest.mark.security("S56")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/sessions"),
        ("POST", "/token?name=x"),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/messages"),
        ("POST", "{}/messages"),
        ("POST", "{}/reset"),
        ("POST", "{}/token"),
        ("POST", "{}/ticket"),
        ("POST", "{}/messages/msg_2/cancel"),
        ("POST", "{}/messages/msg_2/regenerate"),
        ("POST", "{}/messages/msg_2/feedback"),
    ],
)
def test_page_of_another_site_changes_nothing(
    owner: APIClient, redis: Redis, method: str, path: str
) -> None:
    """Even a valid token does not help, and a POST without a body needs no preflight."""
    keys = redis.dbsize()
    path = path.format(owner.path) or owner.path
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        answer = owner.request(method, path, headers=headers)
        assert status_and_code(answer) == (403, "not_allowed")
        assert "CORS_ORIGINS" in answer.json()["detail"]
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert redis.dbsize() == keys
    assert owner.get_session()["seq"] == 0


@pytest.mark.security("S56")
def test_own_pages_and_programs_open_sessions(api: APIClient) -> None:
    for headers in (
        {},
        {"Origin": api.url},
        {"Origin": api.url, "Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://localhost:8443"},
        {"Origin": "https://rewritten.example", "Sec-Fetch-Site": "same-origin"},
    ):
        assert api.request("POST", "/sessions", headers=headers).status_code == 201


@pytest.mark.security("S36", "S56")
def test_listed_origins_get_cors_headers(api_with: Callable[..., APIClient]) -> None:
    api = api_with(CORS_ORIGINS="https://chat.example,https://two.example")
    origin = {"Origin": "https://two.example"}
    cross_site = origin | {"Sec-Fetch-Site": "cross-site"}
    assert api.request("POST", "/sessions", headers=cross_site).status_code == 201
    preflight = api.request(
        "OPTIONS", "/messages", headers=origin | {"Access-Control-Request-Method": "POST"}
    )
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://two.example"
    assert "Idempotency-Key" in preflight.headers["Access-Control-Allow-Headers"]
    for path in ("/models", "/nope", "/sessions/x?wait=1"):
        headers = api.get(path, headers=origin).headers
        assert headers["Access-Control-Allow-Origin"] == "https://two.example"
        assert headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in headers
    assert (
        "Access-Control-Allow-Origin" not in api.get("/models", headers={"Origin": "null"}).headers
    )


def test_valid_request_id_is_kept(api: APIClient) -> None:
    for valid in ("req-1", "a.b_C-9", "x" * 64):
        assert api.get("/live", headers={"X-Request-ID": valid}).headers["X-Request-ID"] == valid
    for invalid in ("x" * 65, "a b", 'a"b', "é", ""):
        response = api.get("/live", headers={"X-Request-ID": invalid.encode()})
        assert response.headers["X-Request-ID"].startswith("req_")


@pytest.mark.security("S40")
def test_unexpected_exception_reveals_only_a_request_id(
    parley: Stack, owner: APIClient, redis: Redis
) -> None:
    """A stored message without the expected fields causes an exception."""
    owner.post_message("hello")
    (key,) = redis.scan_iter(f"chat:*:messages:{owner.id}")
    redis.hset(key, "1", "{}")
    redis.hset(key, "2", "{}")
    response = owner.get(f"{owner.path}/messages")
    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/json"
    assert error_code(response) == "error"
    assert response.json()["detail"] == "Something went wrong."
    assert response.headers["Cache-Control"] == "no-store"
    request_id = response.headers["X-Request-ID"]
    assert f"Request {request_id} failed with an exception" in parley.web().log
    assert "Traceback" in parley.web().log


@pytest.mark.security("S07")
def test_admin_forms_require_a_csrf_token(api: APIClient) -> None:
    response = api.request("POST", "/admin/login/", data={"username": "a", "password": "b"})
    assert response.status_code == 403


@pytest.mark.security("S22")
def test_header_with_underscore_is_ignored(api_with: Callable[..., APIClient]) -> None:
    """Otherwise it would be taken for the proxy's header."""
    api = api_with(
        CHAT_TRUSTED_PROXIES="127.0.0.1", CHAT_SESSIONS_BURST="1", CHAT_SESSIONS_PER_MINUTE="1"
    )
    api.open_session()
    with RawConnection(api.url) as connection:
        connection.send_headers("POST /sessions HTTP/1.1", X_Forwarded_For="9.9.9.9")
        assert connection.read_response().startswith(b"HTTP/1.1 201 ")
    with RawConnection(api.url) as connection:
        connection.send(b"POST /sessions HTTP/1.1\r\nX_Forwarded_For: 8.8.8.8\r\n")
        connection.send(f"Host: {connection.host}\r\n\r\n".encode())
        assert connection.read_response().startswith(b"HTTP/1.1 429 ")


@pytest.mark.security("S09", "S17")
@pytest.mark.parametrize(
    "line",
    [
        b"GET /models?\xff\xfe=1 HTTP/1.1",
        b"GET /mod\xc3\xbcls HTTP/1.1",
        b"GET /%ff%fe HTTP/1.1",
        b"GET /sessions/%ed%a0%80?wait=1 HTTP/1.1",
        b"GET /sessions/x?wait=%ff HTTP/1.1",
        b"GET /static/%2e%2e/%2e%2e/etc/passwd HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"POST /sessions HTTP/1.1\r\nContent-Length: -5",
        b"POST /sessions HTTP/1.1\r\nContent-Length: abc",
        b"POST /sessions HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6",
        b"GET /models HTTP/1.1\r\nCookie: sessionid=\xff\xff",
        b"GET /models HTTP/1.1\r\nAuthorization: \xff\xff",
    ],
)
def test_malformed_bytes_cause_no_exception(parley: Stack, api: APIClient, line: bytes) -> None:
    logged = len(parley.web().log)
    with RawConnection(api.url) as connection:
        connection.send(line, b"\r\nHost: ", connection.host.encode(), b"\r\n\r\n")
        assert connection.read_response()[9:10] in {b"2", b"4"}
    assert "Traceback" not in parley.web().log[logged:]
