"""Network failures: unknown hosts, closed ports, timeouts, invalid TLS, invalid HTTP."""

import asyncio
import gc
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from chat.domain.errors import (
    ModelBadRequest,
    ModelInvalidResponse,
    ModelTimeout,
    ModelTLSError,
    ModelUnavailable,
    ProviderError,
)
from chat.providers.openai import OpenAI
from chat.providers.response import DOCUMENTS_PER_PASS, MAX_DOCUMENT_BYTES
from project.runner.process import ROOT
from tests.harness.ports import free_port
from tests.integration.fakemodel.server import FakeModel
from tests.integration.providers.calls import (
    HELLO,
    create_provider,
    get_reply,
    long_timeouts,
    on_loop,
)
from tests.integration.providers.raw_server import (
    DONE,
    END,
    STREAM,
    RawServer,
    chunk,
    delta,
    event,
    json_response,
    read_request,
    respond,
)
from tests.unit.providers.models import model, prompt

GOOD = b'{"choices":[{"message":{"content":"Yes"},"finish_reason":"stop"}]}'


def error_of(*parts: bytes) -> ProviderError:
    """Return the error of a call whose response is `parts` and then the end of the connection."""

    def once(connection: socket.socket) -> None:
        read_request(connection)
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)

    with RawServer(once) as server, pytest.raises(ProviderError) as caught:
        get_reply(create_provider(server))
    return caught.value


def test_closed_port_is_unavailable() -> None:
    with pytest.raises(ModelUnavailable):
        get_reply(OpenAI(model(url=f"http://127.0.0.1:{free_port()}")))


def test_unknown_host_is_unavailable() -> None:
    with pytest.raises(ModelUnavailable):
        get_reply(OpenAI(model(url="http://no-such-host.invalid")))


def test_connect_timeout_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        clients = [socket.socket() for _ in range(3)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        start = time.monotonic()
        with pytest.raises(ModelUnavailable):
            get_reply(
                OpenAI(model(url=f"http://127.0.0.1:{port}", timeouts=long_timeouts(connect=0.2)))
            )
        assert 0.1 < time.monotonic() - start < 20
        for client in clients:
            client.close()


@pytest.mark.parametrize(
    "parts", [(), (STREAM,), (STREAM, delta("a")), (json_response(GOOD)[:-9],)]
)
def test_read_timeout_ends_a_silent_call(parts: tuple[bytes, ...]) -> None:
    timeouts = long_timeouts(first_event=0.2, between_events=0.1)
    with RawServer(respond(*parts)) as server, pytest.raises(ModelTimeout):
        get_reply(create_provider(server, timeouts=timeouts))


def test_trusted_certificate_is_accepted() -> None:
    with RawServer(respond(json_response(GOOD)), certificate="good") as server:
        assert get_reply(create_provider(server)) == "Yes"


@pytest.mark.security("S32")
@pytest.mark.parametrize("certificate", ["expired", "other_host"])
def test_wrong_certificate_is_rejected(certificate: str) -> None:
    with RawServer(respond(json_response(GOOD)), certificate=certificate) as server:
        with pytest.raises(ModelTLSError) as caught:
            get_reply(create_provider(server))
        assert not caught.value.retryable
        assert get_reply(create_provider(server, verify=False)) == "Yes"


@pytest.mark.security("S32")
def test_unknown_authority_is_rejected() -> None:
    with (
        RawServer(respond(json_response(GOOD)), certificate="good") as server,
        pytest.raises(ModelTLSError),
    ):
        get_reply(create_provider(server, verify=True))


def test_server_without_tls_is_unavailable() -> None:
    with RawServer(lambda connection: connection.sendall(json_response(GOOD))) as server:
        with pytest.raises(ModelUnavailable) as caught:
            get_reply(
                create_provider(
                    server, url=server.url.replace("http:", "https:"), timeouts=long_timeouts()
                )
            )
        assert caught.value.retryable


@pytest.mark.security("S31")
def test_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with RawServer(respond(json_response(GOOD))) as server:
        assert get_reply(create_provider(server)) == "Yes"


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ((), ModelUnavailable),
        ((b"SSH-2.0-OpenSSH_9.2\r\n",), ModelInvalidResponse),
        ((b"HTTP/1.1 abc\r\n\r\n",), ModelInvalidResponse),
        ((b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",), ModelInvalidResponse),
        ((b"HTTP/1.1 200 OK\r\na: " + b"b" * 70_000 + b"\r\n\r\n",), ModelInvalidResponse),
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), ModelInvalidResponse),
        ((b"HTTP/1.1 200 OK\r\n\r\n",), ModelInvalidResponse),
        ((json_response(b"<html>", "text/html"),), ModelInvalidResponse),
        ((json_response(b"<html>"),), ModelInvalidResponse),
        ((json_response(b"null"),), ModelInvalidResponse),
        ((json_response(b"[]"),), ModelInvalidResponse),
        ((json_response(b"{}"),), ModelInvalidResponse),
        ((json_response(b'{"choices":[]}'),), ModelInvalidResponse),
        (
            (json_response(b'{"choices":[{"message":{"content":7},"finish_reason":"stop"}]}'),),
            ModelInvalidResponse,
        ),
        ((json_response(GOOD[:-1]),), ModelInvalidResponse),
        ((json_response(b'{"error":{"message":"x","code":429}}'),), ProviderError),
        ((STREAM, chunk(b"data: [DONE]\n\n"), END), ModelInvalidResponse),
        ((STREAM, delta("a"), END), ModelInvalidResponse),
        ((STREAM, delta("a")), ModelUnavailable),
        ((STREAM, delta("a"), b"zz\r\n"), ModelUnavailable),
        ((STREAM, delta("a"), b"-5\r\n"), ModelInvalidResponse),
        ((b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",), ModelUnavailable),
        (
            (STREAM, event('{"choices":[{"delta":{"content":[5]}}]}'), DONE, END),
            ModelInvalidResponse,
        ),
        ((STREAM, event('{"choices":[{"delta":7}]}'), DONE, END), ModelInvalidResponse),
        ((STREAM, event("<html>"), END), ModelInvalidResponse),
    ],
)
def test_each_malformed_response_has_an_error(parts: tuple[bytes, ...], kind: type) -> None:
    assert isinstance(error_of(*parts), kind)


@pytest.mark.parametrize("length", [b"1, 2", b"1" * 5000])
def test_content_length_is_invalid(length: bytes) -> None:
    error = error_of(b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\nx" % length)
    assert type(error) is ModelInvalidResponse
    del error
    gc.collect()


def test_other_turns_run_between_the_events_of_one_packet() -> None:
    count = 10_000
    passes = 0

    async def count_passes() -> None:
        nonlocal passes
        while True:
            await asyncio.sleep(0)
            passes += 1

    async def read(server: RawServer) -> None:
        counting = asyncio.create_task(count_passes())
        seen = 0
        async for item in create_provider(server).stream(HELLO):
            if isinstance(item, str):
                seen = seen or passes
        counting.cancel()
        assert passes - seen >= count / DOCUMENTS_PER_PASS - 1

    parts = (STREAM, delta("a"), delta("") * count, delta("b"), DONE, END)
    with RawServer(respond(b"".join(parts))) as server:
        on_loop(read(server))


def test_empty_reply_that_reached_its_limit_is_complete() -> None:
    with RawServer(respond(STREAM, delta("", '"length"'), DONE, END)) as server:
        assert get_reply(create_provider(server)) == ""


@pytest.mark.parametrize("text", ["", " ", r"\n \t"])
def test_blank_reply_is_invalid(text: str) -> None:
    error = error_of(STREAM, delta(text, '"stop"'), DONE, END)
    assert type(error) is ModelInvalidResponse
    assert error.retryable


@pytest.mark.security("S31")
def test_redirect_is_not_followed() -> None:
    with RawServer(respond(json_response(GOOD))) as elsewhere:
        redirect = f"HTTP/1.1 307 Go\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n"
        assert type(error_of(redirect.encode())) is ModelBadRequest
        assert elsewhere.connections == 0


def test_text_that_is_not_json_is_rejected_without_a_call() -> None:
    with RawServer(respond(json_response(GOOD))) as server:
        with pytest.raises(ModelBadRequest):
            get_reply(create_provider(server), prompt("\ud83d"))
        assert server.connections == 0


ENDLESS: dict[str, Callable[[], bytes]] = {
    "document": lambda: b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n",
    "line": lambda: b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: ",
    "chunk": lambda: STREAM + b"ffffffff\r\ndata: ",
    "error": lambda: b"HTTP/1.1 500 No\r\nContent-Type: application/json\r\n\r\n",
}


@pytest.mark.security("S27")
@pytest.mark.parametrize("kind", ENDLESS)
def test_endless_body_is_cancelled(kind: str) -> None:
    sent = 0

    def endless(connection: socket.socket) -> None:
        nonlocal sent
        read_request(connection)
        connection.sendall(ENDLESS[kind]())
        while True:
            connection.sendall(b"x" * 65_536)
            sent += 65_536

    with RawServer(endless) as server:
        with pytest.raises(ModelInvalidResponse if kind != "error" else ModelUnavailable):
            get_reply(create_provider(server))
        assert server.client_disconnected()
    assert sent < 3 * MAX_DOCUMENT_BYTES


MEMORY_PROGRAM = """
import resource, sys
from chat.domain.errors import ModelInvalidResponse
from tests.integration.providers.calls import get_reply
from chat.providers.openai import OpenAI
from tests.unit.providers.models import model, prompt
provider = OpenAI(model(url=sys.argv[1], stream=False))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for fault in ("huge", "gzip_bomb", "long_line"):
    try:
        get_reply(provider, prompt(f"[[fault:{fault} mb=200]] x"))
    except ModelInvalidResponse:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.security("S27")
def test_huge_response_needs_bounded_memory(fake_model: FakeModel) -> None:
    program = subprocess.run(
        [sys.executable, "-c", MEMORY_PROGRAM, fake_model.url + "/v1"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(program.stdout) < 50_000  # KB


@pytest.mark.security("S33", "S39")
def test_logs_contain_no_prompt_token_or_vendor_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "nightingale"
    word = canary.encode()
    error = b'{"error":{"message":"%b","type":"a %b","code":"bad_thing"}}' % (word, word)
    responses = (
        b"HTTP/1.1 400 No\r\nContent-Length: %d\r\n\r\n%b" % (len(error), error),
        json_response(b'{"choices":[{"message":{"content":"' + word),
        STREAM + delta(canary) + event(canary),
        word + b"\r\n\r\n",
        b"HTTP/1.1 400 No\r\n%b\r\nContent-Length: 0\r\n\r\n" % word,
    )
    for response in responses:
        with RawServer(respond(response)) as server, pytest.raises(ProviderError) as caught:
            get_reply(create_provider(server, token=canary), prompt(canary))
        logging.getLogger("test").error("failed", exc_info=caught.value)
    assert "bad_thing" in caplog.text
    assert canary not in caplog.text
