"""Validation of request bodies, over real connections."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from redis import Redis

from chat.settings import ChatSettings
from tests.harness.redis_cluster import require_one_server
from tests.integration.api.client import APIClient, RawConnection, status_and_code

LIMIT = ChatSettings.MAX_BODY_BYTES


def script_calls(redis: Redis) -> int:
    """Return the number of scripts that Redis has run."""
    require_one_server()
    stats = redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha"))


def nested(depth: int) -> bytes:
    return b'{"content":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@pytest.mark.security("S07")
@pytest.mark.parametrize(
    "kind",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/json; charset=utf-16",
        "application/merge-patch+json",
        "",
    ],
)
def test_body_that_is_not_json_is_rejected(owner: APIClient, kind: str) -> None:
    """These include all types that a form of another site could send."""
    response = owner.post_bytes("/messages", b'{"content":"hello"}', Content_Type=kind)
    assert status_and_code(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "kind",
    ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"'],
)
def test_all_json_content_types_are_accepted(owner: APIClient, kind: str) -> None:
    assert owner.post_bytes("/messages", b'{"content":"hi"}', Content_Type=kind).status_code == 202


@pytest.mark.security("S19")
@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd"])
def test_compressed_body_is_rejected(owner: APIClient, encoding: str) -> None:
    response = owner.post_bytes("/messages", b'{"content":"hello"}', Content_Encoding=encoding)
    assert status_and_code(response) == (415, "unsupported_media_type")


@pytest.mark.security("S08")
@pytest.mark.parametrize("field", ["role", "status", "seq", "owner", "attempt", "model", "id"])
def test_read_only_message_fields_are_rejected(owner: APIClient, field: str) -> None:
    response = owner.post("/messages", {"content": "hello", field: "x"})
    assert status_and_code(response) == (400, "invalid_request")
    assert response.json()["error"]["param"] == field
    assert owner.get_session()["seq"] == 0


@pytest.mark.security("S08")
@pytest.mark.parametrize(
    "field", ["id", "token", "seq", "created_at", "expires_at", "owner", "messages"]
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_read_only_session_fields_are_rejected(owner: APIClient, method: str, field: str) -> None:
    path = "/sessions" if method == "POST" else owner.path
    response = owner.request(method, path, json={field: "x"})
    assert status_and_code(response) == (400, "invalid_request")
    assert response.json()["error"]["param"] == field


@pytest.mark.security("S11")
@pytest.mark.parametrize("size", [LIMIT + 1, 2 * LIMIT])
def test_too_large_body_is_rejected_before_any_redis_call(
    owner: APIClient, redis: Redis, size: int
) -> None:
    before = script_calls(redis)
    body = b'{"content":"' + b"x" * (size - 14) + b'"}'
    assert status_and_code(owner.post_bytes("/messages", body)) == (413, "body_too_large")
    assert status_and_code(owner.post_bytes("/messages", iter([body]))) == (413, "body_too_large")  # type: ignore[arg-type]
    assert script_calls(redis) == before


@pytest.mark.security("S11")
def test_large_content_length_is_rejected_before_the_body(owner: APIClient) -> None:
    with RawConnection(owner.url) as connection:
        connection.send_headers(
            "POST /messages HTTP/1.1",
            Authorization=f"Bearer {owner.token}",
            Content_Type="application/json",
            Content_Length=str(10**12),
        )
        response = connection.read_response()
    assert response.startswith(b"HTTP/1.1 413 ")
    assert b'"body_too_large"' in response


@pytest.mark.security("S11")
def test_endless_chunked_body_is_rejected(owner: APIClient) -> None:
    """The sizes in the chunks do not matter."""
    with RawConnection(owner.url) as connection:
        connection.send_headers(
            "POST /messages HTTP/1.1",
            Authorization=f"Bearer {owner.token}",
            Content_Type="application/json",
            Transfer_Encoding="chunked",
        )
        with suppress(ConnectionError):  # the server closes it
            for _ in range(200):
                connection.send(b"8000\r\n", b"x" * 0x8000, b"\r\n")
        response = connection.read_response()
    assert response.startswith(b"HTTP/1.1 413 ")


def test_chunked_body_is_accepted(owner: APIClient) -> None:
    parts = iter([b'{"content":', b'"in parts"}'])
    accepted = owner.post_bytes("/messages", parts)  # type: ignore[arg-type]
    assert accepted.json()["message"]["content"] == "in parts"


@pytest.mark.security("S11")
def test_content_length_with_chunked_encoding_is_rejected(owner: APIClient) -> None:
    """Otherwise a request could be smuggled past a proxy that ignores one of the headers."""
    with RawConnection(owner.url) as connection:
        connection.send_headers(
            "POST /messages HTTP/1.1",
            Content_Type="application/json",
            Content_Length="4",
            Transfer_Encoding="chunked",
        )
        connection.send(b"0\r\n\r\nGET /live HTTP/1.1\r\n\r\n")
        assert connection.read_response().startswith(b"HTTP/1.1 400 ")


@pytest.mark.security("S26")
def test_missing_body_times_out_and_closes_the_connection(
    api_with: Callable[..., APIClient],
) -> None:
    api = api_with(CHAT_REQUEST_TIMEOUT="0.3")
    owner = api.open_session()
    with RawConnection(api.url) as connection:
        connection.send_headers(
            "POST /messages HTTP/1.1",
            Authorization=f"Bearer {owner.token}",
            Content_Type="application/json",
            Content_Length="100",
        )
        connection.send(b'{"content":')
        response = connection.read_response()
        assert response.startswith(b"HTTP/1.1 408 ")
        assert b'"request_timeout"' in response
        assert connection.is_closed_within(5)


@pytest.mark.security("S26")
def test_missing_bodies_block_no_thread(owner: APIClient) -> None:
    """There are more of them than threads."""
    connections = [RawConnection(owner.url) for _ in range(30)]
    for connection in connections:
        connection.send_headers(
            "POST /sessions HTTP/1.1", Content_Type="application/json", Content_Length="9"
        )
    assert owner.post_message("not held up")
    for connection in connections:
        connection.__exit__()


@pytest.mark.security("S12")
@pytest.mark.parametrize("depth", [50, 5_000, 60_000])
def test_deeply_nested_json_is_rejected(owner: APIClient, depth: int) -> None:
    body = nested(depth)[:LIMIT] if depth > 30_000 else nested(depth)
    assert status_and_code(owner.post_bytes("/messages", body)) == (400, "invalid_request")


@pytest.mark.security("S12")
def test_json_100_000_levels_deep_is_rejected(owner: APIClient) -> None:
    assert status_and_code(owner.post_bytes("/messages", nested(100_000))) == (
        400,
        "invalid_request",
    )


@pytest.mark.security("S13")
@pytest.mark.parametrize(
    "body",
    [
        rb'{"content":"a\u0000b"}',
        b'{"content":"a\x00b"}',
        rb'{"content":"\ud800"}',
        rb'{"content":"\udc00\ud800"}',
        b'{"content":"\xed\xa0\x80"}',
        b'{"content":"\xff"}',
        b'{"content":"hi","deadline":NaN}',
        b'{"content":"hi","deadline":Infinity}',
        b'{"content":"hi","deadline":1e999}',
        b'{"content":"hi","deadline":' + b"9" * 400 + b"}",
        b'{"content":"hi","options":{"seed":' + b"1" * 20 + b"}}",
        b'\xef\xbb\xbf{"content":"hi"}',
        '{"content":"hi"}'.encode("utf-16"),
        '{"content":"hi"}'.encode("utf-16-le"),
        b'{"content":"hi","content":"there"}',
        b'{"content":"hi","options":{"seed":1,"seed":2}}',
        b'{"content":"hi"}{"content":"there"}',
        b'{"content":"hi"',
        b"{'content':'hi'}",
        b'["content","hi"]',
        b'"content"',
        b"null",
        b"content=hi",
        b"\x80",
    ],
)
def test_ambiguous_json_is_rejected(owner: APIClient, body: bytes) -> None:
    assert status_and_code(owner.post_bytes("/messages", body)) == (400, "invalid_request")
    assert owner.get_session()["seq"] == 0


@pytest.mark.security("S14")
@pytest.mark.parametrize(
    "content",
    [
        *["", " ", "\n\t ", "\u200b", "\u200b\u200d\ufeff\u2060", "\u00ad", "\u3164", "\u2800"],
        *["\ufe0f", 0, 1.5, True, None, [], ["hi"], {}],
    ],
)
def test_content_without_visible_text_is_rejected(owner: APIClient, content: object) -> None:
    response = owner.post("/messages", {"content": content})
    assert status_and_code(response) == (400, "invalid_request")
    assert response.json()["error"]["param"] == "content"


@pytest.mark.security("S14")
def test_content_is_required(owner: APIClient) -> None:
    response = owner.post("/messages", {})
    assert status_and_code(response) == (400, "invalid_request")
    assert response.json()["error"]["param"] == "content"


@pytest.mark.security("S15")
@pytest.mark.parametrize(
    "content",
    [
        "👩\u200d👩\u200d👧\u200d👦 family",
        "\u202eright to left\u202c שלום",
        "e\u0301 is not \u00e9",
        '"quoted" \\ \u2028 </script>',
        "\u200bin sight\u200b",
        " spaces stay ",
        "🏳️\u200d🌈",
        "\U0010ffff",
    ],
)
def test_content_is_stored_unchanged(owner: APIClient, content: str) -> None:
    assert owner.post_message(content)["message"]["content"] == content
    assert owner.get_session()["messages"][0]["content"] == content


@pytest.mark.security("S15")
def test_content_is_limited_in_bytes(owner: APIClient) -> None:
    fits = "é" * (512 * 1024)
    accepted = owner.post_bytes("/messages", f'{{"content":"{fits}"}}'.encode())
    assert accepted.json()["message"]["content"] == fits
    response = owner.post_bytes("/messages", f'{{"content":"{fits}e"}}'.encode())
    assert status_and_code(response) == (400, "invalid_request")
    assert "bytes" in response.json()["detail"]


@pytest.mark.security("S15")
def test_content_is_limited_in_code_points(api_with: Callable[..., APIClient]) -> None:
    """An emoji counts as one, although it takes two in UTF-16."""
    owner = api_with(CHAT_MAX_CONTENT_CHARS="4").open_session()
    assert owner.post_message("👋👋👋👋")
    response = owner.post("/messages", {"content": "👋👋👋👋👋"})
    assert status_and_code(response) == (400, "invalid_request")
    assert "characters" in response.json()["detail"]
