"""Every request that reads counts against the limits of its session and address."""

from collections.abc import Callable, Iterator

import pytest
import requests

from chat.accounts import api_keys
from tests.harness.stack import Stack
from tests.integration.api.client import APIClient, error_code
from tests.integration.realtime.clients import WebSocketClient

# Only one read is allowed at once, then one in three seconds.
LIMITS = {"CHAT_READS_PER_MINUTE": "20"}
CALLS = 10
REQUESTS = {
    "poll": ("GET", "/sessions/{id}"),
    "message": ("GET", "/sessions/{id}/messages/msg_1"),
    "cancel": ("POST", "/sessions/{id}/messages/msg_1/cancel"),
    "file": ("GET", "/sessions/{id}/files/file_0"),
    "conversation": ("GET", "/v1/conversations/conv_{id}"),
    "update of a conversation": ("POST", "/v1/conversations/conv_{id}"),
    "response": ("GET", "/v1/responses/resp_{id}_2"),
    "new response": ("POST", "/v1/responses"),
    "completion": ("POST", "/v1/chat/completions"),
    "cancelled response": ("POST", "/v1/responses/resp_{id}_2/cancel"),
    "models": ("GET", "/v1/models"),
    "new turn of a chat": ("POST", "/ui/chat"),
    "stopped chat": ("POST", "/ui/chat/{id}/stop"),
    "messages of a chat": ("GET", "/ui/chat/{id}/messages"),
}


@pytest.fixture(scope="module")
def limited(parley: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[APIClient]:
    """A web process with low limits."""
    env = {"REDIS_URL": parley.redis.url, **LIMITS}
    with Stack(tmp_path_factory.mktemp("limited"), env=env) as stack:
        yield APIClient(stack.web().start().url)


def code_of(response: requests.Response) -> str:
    """Return the error code, or "" for none."""
    return "" if response.ok else error_code(response)


@pytest.mark.security("S47")
@pytest.mark.parametrize("name", REQUESTS)
def test_reads_of_a_session_are_limited_on_every_path(limited: APIClient, name: str) -> None:
    owner, other = limited.open_session(), limited.open_session()
    method, path = REQUESTS[name]
    path = path.format(id=owner.id)
    body: dict[str, object] | None = {} if method == "POST" else None
    codes = [code_of(owner.request(method, path, json=body)) for _ in range(CALLS)]
    assert codes[0] != "rate_limited"
    assert "rate_limited" in codes
    assert other.get().status_code == 200


@pytest.mark.security("S47")
@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions", "/ui/chat"])
def test_requests_are_counted_before_their_bodies_are_parsed(limited: APIClient, path: str) -> None:
    text, _ = api_keys.create(name="test")
    owner = limited.open_session()
    assert code_of(limited.post_bytes(path, b"{")) == "invalid_token"
    assert code_of(APIClient(limited.url, token=text).post_bytes(path, b"{")) == "invalid_request"
    assert code_of(owner.post_bytes(path, b"{")) == "invalid_request"
    assert code_of(owner.post_bytes(path, b"{")) == "rate_limited"


@pytest.mark.security("S47")
def test_refused_uploads_are_limited(limited: APIClient) -> None:
    owner = limited.open_session()
    path, content = f"{owner.path}/files", b"\0" * 10_000
    codes = [error_code(owner.request("POST", path, data=content)) for _ in range(CALLS)]
    assert codes[0] == "unsupported_content"
    assert "rate_limited" in codes


@pytest.mark.security("S47")
def test_invented_tickets_are_limited_by_address(api_with: Callable[..., APIClient]) -> None:
    api = api_with(CHAT_ADDRESS_READS_PER_MINUTE="20")
    path = f"/sessions/{api.open_session().id}/events?ticket={'x' * 43}"
    codes = [error_code(api.request("GET", path)) for _ in range(CALLS)]
    assert codes[0] == "invalid_token"
    assert "rate_limited" in codes


@pytest.mark.security("S47")
def test_stranger_does_not_use_up_the_reads_of_a_session(limited: APIClient) -> None:
    owner = limited.open_session()
    wrong = APIClient(owner.url, id=owner.id, token=f"{owner.id}.{'x' * 43}")
    text, _ = api_keys.create(name="stranger", tenant="other")
    for stranger in (wrong, APIClient(owner.url, id=owner.id, token=text)):
        codes = [code_of(stranger.get()) for _ in range(CALLS)]
        assert codes[0] == "session_not_found"
        assert "rate_limited" in codes
    assert owner.get().status_code == 200


@pytest.mark.security("S47")
def test_cancels_over_a_websocket_are_limited(limited: APIClient) -> None:
    owner = limited.open_session()
    with WebSocketClient(owner) as ws:
        replies = [ws.request(type="message.cancel", id="msg_1") for _ in range(CALLS)]
    assert replies[-1]["error"]["code"] == "rate_limited"


@pytest.mark.security("S47")
def test_websockets_are_limited_by_address(api_with: Callable[..., APIClient]) -> None:
    owner = api_with(CHAT_ADDRESS_READS_PER_MINUTE="20").open_session()
    query = f"?ticket={'x' * 43}"
    codes = []
    for _ in range(CALLS):
        with WebSocketClient(owner, query=query) as ws:
            codes.append(ws.close_code())
    assert codes[0] == 4401
    assert 4429 in codes
