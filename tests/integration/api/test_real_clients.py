"""What real clients, gateways and tracers send, and the large messages that people paste."""

import json
from collections.abc import Callable
from itertools import product

import pytest
import requests

from chat.conversation.turns import CONTINUE
from chat.domain import Delta, FinishReason, Options, Outcome, Status
from chat.store import leases
from tests.integration.api.client import APIClient, status_and_code
from tests.integration.api.fake_worker import claim_turn, complete_turn, finish_turn

ORIGIN = "https://app.example.org"


@pytest.fixture(scope="module")
def https() -> dict[str, str]:
    """Headers of a proxy that terminates TLS."""
    return {"Host": "chat.example.org", "X-Forwarded-For": "203.0.113.7"}


@pytest.mark.case("C21")
@pytest.mark.parametrize(
    ("env", "value"),
    [
        ({}, "max-age=31536000"),
        ({"HSTS_SECONDS": "60", "HSTS_INCLUDE_SUBDOMAINS": "yes"}, "max-age=60; includeSubDomains"),
        pytest.param({"HSTS_SECONDS": "0"}, None, marks=pytest.mark.thorough),
    ],
)
def test_all_pages_send_the_same_hsts_header(
    api_with: Callable[..., APIClient],
    https: dict[str, str],
    env: dict[str, str],
    value: str | None,
) -> None:
    hosts = "chat.example.org,127.0.0.1"
    api = api_with(HTTPS="1", CHAT_TRUSTED_PROXIES="127.0.0.1", ALLOWED_HOSTS=hosts, **env)
    headers = https | {"X-Forwarded-Proto": "https"}
    found = {
        requests.get(api.url + path, headers=headers, timeout=20).headers.get(
            "Strict-Transport-Security"
        )
        for path in ("/", "/models", "/admin/login/", "/nothing/here")
    }
    assert found == {value}


@pytest.mark.case("C24")
def test_forwarded_proto_is_case_insensitive(
    api_with: Callable[..., APIClient], https: dict[str, str]
) -> None:
    hosts = "chat.example.org,127.0.0.1"
    api = api_with(HTTPS="1", CHAT_TRUSTED_PROXIES="127.0.0.1", ALLOWED_HOSTS=hosts)
    for proto, path in product(("https", "HTTPS", "Https"), ("/admin/login/", "/models")):
        headers = https | {"X-Forwarded-Proto": proto}
        response = requests.get(api.url + path, headers=headers, timeout=20, allow_redirects=False)
        assert response.status_code == 200, (proto, path)


@pytest.mark.case("C23")
@pytest.mark.parametrize("key", ["1", "k1", "a b", "x" * 255])
def test_short_key_names_a_message_of_a_session(owner: APIClient, key: str) -> None:
    body = {"content": "hello"}
    first, again = (owner.post("/messages", body, Idempotency_Key=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["reply"]["id"] == again.json()["reply"]["id"] == "msg_2"


@pytest.mark.case("C23")
def test_key_that_gives_access_to_a_token_is_long(api: APIClient) -> None:
    answer = api.post("/sessions", {}, Idempotency_Key="x" * 15)
    assert status_and_code(answer) == (400, "invalid_request")
    assert api.post("/sessions", {}, Idempotency_Key="x" * 16).status_code == 201


@pytest.mark.case("C24")
@pytest.mark.parametrize(
    "fields",
    [
        {"options": None},
        {"options": {"temperature": None}},
        {"options": {"max_tokens": None, "top_p": None, "stop": None, "seed": None}},
        {"deadline": None},
        {"on_busy": None, "continue": None, "session": None},
    ],
)
def test_null_means_not_set(owner: APIClient, fields: dict[str, object]) -> None:
    owner.post_message("hello", **fields)
    claim = claim_turn(owner.id)
    assert claim.options == Options()
    assert 800 < claim.seconds_left <= 900


@pytest.mark.case("C24")
def test_null_changes_no_field_that_cannot_be_removed(api: APIClient) -> None:
    unset = dict.fromkeys(("name", "metadata", "context", "ttl", "system_prompt", "webhook_url"))
    owner = api.open_session(**unset)
    before = owner.get(owner.path).json()
    assert (before["name"], before["metadata"]) == ("", {})
    changed = {"name": "Ada", "metadata": {"a": 1}, "context": {"messages": 2, "tokens": None}}
    owner.request("PATCH", owner.path, json=changed)
    assert owner.request("PATCH", owner.path, json=unset).status_code == 200
    after = owner.get(owner.path).json()
    assert (after["name"], after["metadata"]) == ("Ada", {"a": 1})
    assert after["context"]["messages"] == 2


@pytest.mark.case("C24")
@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf8",
        "application/json;charset=UTF-8",
        'Application/JSON; charset="utf-8"',
        "application/json; charset=utf-8; profile=x",
        "application/json; charset='utf-8'",
        "application/json; charset=",
        "application/json; charset=us-ascii",
    ],
)
def test_content_type_of_real_clients_is_accepted(owner: APIClient, content_type: str) -> None:
    body = json.dumps({"content": "ü"}).encode()
    answer = owner.post_bytes("/messages", body, Content_Type=content_type)
    assert answer.status_code == 202


@pytest.mark.case("C24")
@pytest.mark.parametrize("encoding", ["identity", "utf-8", "UTF8", "none", ""])
def test_content_encoding_of_plain_bodies_is_accepted(owner: APIClient, encoding: str) -> None:
    answer = owner.post_bytes("/messages", b'{"content": "x"}', Content_Encoding=encoding)
    assert answer.status_code == 202


@pytest.mark.case("C24")
@pytest.mark.parametrize("charset", ["latin-1", "utf-16"])
def test_other_charsets_are_rejected(owner: APIClient, charset: str) -> None:
    kind = f"application/json; charset={charset}"
    answer = owner.post_bytes("/messages", b'{"content": "x"}', Content_Type=kind)
    assert status_and_code(answer) == (415, "unsupported_media_type")


@pytest.mark.case("C24")
@pytest.mark.security("S36")
def test_preflight_allows_headers_of_tracers(api_with: Callable[..., APIClient]) -> None:
    api = api_with(CORS_ORIGINS=ORIGIN)
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    for requested, allowed in (
        ("authorization,traceparent,tracestate", "authorization,traceparent,tracestate"),
        ("x-anything, baggage", "x-anything, baggage"),
        ("not a name", "Authorization"),
        ("", "Authorization"),
    ):
        asked = headers | {"Access-Control-Request-Headers": requested}
        answer = api.request("OPTIONS", "/messages", headers=asked)
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert answer.headers["Access-Control-Allow-Headers"].startswith(allowed)


@pytest.mark.case("C28")
@pytest.mark.parametrize(
    "content", ["x" * 40_000, "x" * 1_048_576, "é" * 524_288, "😀" * 262_144, '"\\\n' * 349_525]
)
def test_large_message_is_stored_exactly(owner: APIClient, content: str) -> None:
    accepted = owner.post_message(content)
    assert accepted["message"]["content"] == content
    assert owner.get(f"{owner.path}/messages/msg_1").json()["content"] == content
    assert claim_turn(owner.id).history[-1].content == content


@pytest.mark.case("C28")
def test_message_beyond_the_limit_is_rejected(owner: APIClient) -> None:
    answer = owner.post("/messages", {"content": "x" * 1_048_577})
    assert status_and_code(answer) == (400, "invalid_request")
    assert answer.json()["error"]["param"] == "content"
    assert owner.get_session()["messages"] == []


@pytest.mark.case("C28")
def test_system_prompt_has_a_limit_of_its_own(api: APIClient) -> None:
    answer = api.post("/sessions", {"system_prompt": "x" * 32_769})
    assert status_and_code(answer) == (400, "invalid_request")


def end_at_length(session_id: str, text: str) -> None:
    claim = claim_turn(session_id)
    outcome = Outcome(status=Status.INCOMPLETE, finish_reason=FinishReason.LENGTH, model="default")
    leases.finish(claim.lease, outcome, Delta(offset=0, escaped=text.encode()))


@pytest.mark.case("C29")
def test_reply_that_ended_by_length_is_continued(owner: APIClient) -> None:
    owner.post_message("tell a story")
    end_at_length(owner.id, "Once upon a")
    accepted = owner.post("/messages", {"continue": True, "options": {"max_tokens": 50}})
    assert accepted.status_code == 202
    claim = claim_turn(owner.id)
    assert [each.content for each in claim.history] == ["tell a story", "Once upon a", CONTINUE]
    assert claim.options.max_tokens == 50
    finish_turn(claim, " time.")
    assert owner.get_session()["messages"][-1]["content"] == " time."


@pytest.mark.case("C29")
def test_only_a_reply_that_ended_by_length_is_continued(owner: APIClient) -> None:
    answer = owner.post("/messages", {"continue": True})
    assert status_and_code(answer) == (409, "nothing_to_continue")
    owner.post_message("hello")
    answer = owner.post("/messages", {"continue": True})
    assert status_and_code(answer) == (409, "nothing_to_continue")
    complete_turn(owner.id, "done")
    answer = owner.post("/messages", {"continue": True})
    assert status_and_code(answer) == (409, "nothing_to_continue")


@pytest.mark.case("C29")
@pytest.mark.parametrize(
    "body",
    [{}, {"continue": False}, {"continue": True, "content": "x"}, {"continue": "true"}],
)
def test_either_content_or_continue_is_required(owner: APIClient, body: dict[str, object]) -> None:
    answer = owner.post("/messages", body)
    assert status_and_code(answer) == (400, "invalid_request")
