"""Interim responses (1xx) before the response of a model or a webhook receiver."""

import pytest
from pytest_django import Settings

from chat.domain.errors import ModelInvalidResponse, ModelUnavailable
from chat.http.errors import InvalidHTTP
from chat.http.head import MAX_INTERIM_RESPONSES
from tests.integration.http.guarded_calls import call
from tests.integration.providers.calls import create_provider, get_reply, reply_to
from tests.integration.providers.raw_server import (
    D,
    E,
    H,
    RawServer,
    X,
    json_response,
    respond,
)

pytestmark = pytest.mark.case("C09")

INTERIM = [
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n",
    b"HTTP/1.1 199 Unknown\r\n\r\n",
]
WHOLE = json_response(b'{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}')


@pytest.mark.parametrize("interim", [*INTERIM, b"".join(INTERIM)])
def test_model_may_send_interim_responses(interim: bytes) -> None:
    assert reply_to(interim + H + D + E + X)[0] == "Hello"
    with RawServer(respond(interim, WHOLE)) as server:
        provider = create_provider(server)
        assert [get_reply(provider), get_reply(provider)] == ["Hello", "Hello"]
        assert server.connections == 1


@pytest.mark.parametrize("interim", INTERIM)
def test_number_of_interim_responses_is_bounded(interim: bytes) -> None:
    assert reply_to(interim * MAX_INTERIM_RESPONSES + H + D + E + X)[0] == "Hello"
    with pytest.raises(ModelInvalidResponse):
        reply_to(interim * (MAX_INTERIM_RESPONSES + 1) + H + D + E + X)


def test_interim_response_alone_is_no_response() -> None:
    with pytest.raises(ModelUnavailable):
        reply_to(INTERIM[1])
    with pytest.raises(ModelInvalidResponse):
        reply_to(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + H + D + E + X)


@pytest.mark.parametrize("interim", [*INTERIM, b"".join(INTERIM)])
def test_webhook_receiver_may_send_interim_responses(interim: bytes, settings: Settings) -> None:
    settings.CHAT_WEBHOOK_ALLOWED_NETWORKS = "127.0.0.2/32"
    with RawServer(respond(interim + json_response(b"")), host="127.0.0.2") as server:
        assert call(server.url).status == 200


def test_endless_interim_responses_of_a_receiver_are_an_error(settings: Settings) -> None:
    settings.CHAT_WEBHOOK_ALLOWED_NETWORKS = "127.0.0.2/32"
    with (
        RawServer(respond(INTERIM[1] * 1000 + json_response(b"")), host="127.0.0.2") as server,
        pytest.raises(InvalidHTTP),
    ):
        call(server.url)
