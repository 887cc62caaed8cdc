"""What the network does: no such host, nobody there, silence, strange TLS, strange HTTP."""

import gc
import gzip
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from urllib3.exceptions import InsecureRequestWarning

from chat.domain.errors import (
    ModelBadRequest,
    ModelInvalidResponse,
    ModelTimeout,
    ModelTLSError,
    ModelUnavailable,
    ProviderError,
)
from chat.providers.openai import OpenAI
from chat.providers.transport import MAX_DOCUMENT_BYTES
from tests.harness.ports import free_port
from tests.integration.fakemodel.server import ROOT, FakeModel
from tests.integration.providers.calls import ask, patient, to
from tests.integration.providers.servers import (
    DONE,
    END,
    STREAM,
    Server,
    answers,
    chunk,
    delta,
    document,
    event,
    read_request,
)
from tests.unit.providers.models import model, prompt

GOOD = b'{"choices":[{"message":{"content":"Yes"},"finish_reason":"stop"}]}'


def fails(*parts: bytes) -> ProviderError:
    """Return the error of a call that is answered with `parts` and then closed."""

    def once(connection: socket.socket) -> None:
        read_request(connection)
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)

    with Server(once) as server, pytest.raises(ProviderError) as caught:
        ask(to(server))
    return caught.value


def test_a_port_where_nobody_listens_is_unavailable() -> None:
    with pytest.raises(ModelUnavailable):
        ask(OpenAI(model(url=f"http://127.0.0.1:{free_port()}")))


def test_a_host_that_does_not_exist_is_unavailable() -> None:
    with pytest.raises(ModelUnavailable):
        ask(OpenAI(model(url="http://no-such-host.invalid")))


def test_silent_host_is_unavailable_after_the_connect_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        guests = [socket.socket() for _ in range(3)]
        for guest in guests:
            guest.setblocking(False)
            guest.connect_ex(("127.0.0.1", port))
        began = time.monotonic()
        with pytest.raises(ModelUnavailable):
            ask(OpenAI(model(url=f"http://127.0.0.1:{port}", timeouts=patient(connect=0.2))))
        assert 0.1 < time.monotonic() - began < 20
        for guest in guests:
            guest.close()


@pytest.mark.parametrize("parts", [(), (STREAM,), (STREAM, delta("a")), (document(GOOD)[:-9],)])
def test_silence_ends_at_the_sockets_own_timeout(parts: tuple[bytes, ...]) -> None:
    bounds = patient(first_delta=0.2, between_deltas=0.1)
    with Server(answers(*parts)) as server, pytest.raises(ModelTimeout):
        ask(to(server, timeouts=bounds))


def test_a_trusted_certificate_is_trusted() -> None:
    with Server(answers(document(GOOD)), certificate="good") as server:
        assert ask(to(server)) == "Yes"


@pytest.mark.security("S32")
@pytest.mark.parametrize("certificate", ["expired", "other_host"])
def test_a_wrong_certificate_is_untrusted(certificate: str) -> None:
    with Server(answers(document(GOOD)), certificate=certificate) as server:
        with pytest.raises(ModelTLSError) as caught:
            ask(to(server))
        assert not caught.value.retryable
        with pytest.warns(InsecureRequestWarning):
            assert ask(to(server, verify=False)) == "Yes"


@pytest.mark.security("S32")
def test_an_unknown_authority_is_untrusted() -> None:
    with (
        Server(answers(document(GOOD)), certificate="good") as server,
        pytest.raises(ModelTLSError),
    ):
        ask(to(server, verify=True))


def test_a_server_that_speaks_no_tls_is_unavailable() -> None:
    with Server(lambda connection: connection.sendall(document(GOOD))) as server:
        with pytest.raises(ModelUnavailable) as caught:
            ask(to(server, url=server.url.replace("http:", "https:"), timeouts=patient()))
        assert caught.value.retryable


@pytest.mark.security("S31")
def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Server(answers(document(GOOD))) as server:
        assert ask(to(server)) == "Yes"


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
        ((document(GOOD, "text/html"),), ModelInvalidResponse),
        ((document(b"null"),), ModelInvalidResponse),
        ((document(b"[]"),), ModelInvalidResponse),
        ((document(b"{}"),), ModelInvalidResponse),
        ((document(b'{"choices":[]}'),), ModelInvalidResponse),
        (
            (document(b'{"choices":[{"message":{"content":7},"finish_reason":"stop"}]}'),),
            ModelInvalidResponse,
        ),
        ((document(GOOD.replace(b"stop", b"tool_calls")),), ModelInvalidResponse),
        ((document(GOOD.replace(b'"stop"', b"null")),), ModelInvalidResponse),
        ((document(GOOD[:-1]),), ModelInvalidResponse),
        (
            (document(gzip.compress(GOOD), "application/json", "Content-Encoding: gzip"),),
            ModelInvalidResponse,
        ),
        ((document(b'{"error":{"message":"x","code":429}}'),), ProviderError),
        ((STREAM, chunk(b"data: [DONE]\n\n"), END), ModelInvalidResponse),
        ((STREAM, delta("a"), END), ModelInvalidResponse),
        ((STREAM, delta("a", '"stop"'), END), ModelInvalidResponse),
        ((STREAM, delta("a"), DONE, END), ModelInvalidResponse),
        ((STREAM, delta("a")), ModelUnavailable),
        ((STREAM, delta("a"), b"zz\r\n"), ModelUnavailable),
        ((STREAM, delta("a"), b"-5\r\n"), ModelInvalidResponse),
        ((b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",), ModelUnavailable),
        (
            (STREAM, event('{"choices":[{"delta":{"content":["a"]}}]}'), DONE, END),
            ModelInvalidResponse,
        ),
        ((STREAM, event("<html>"), END), ModelInvalidResponse),
    ],
)
def test_a_strange_answer_has_its_error(parts: tuple[bytes, ...], kind: type) -> None:
    assert isinstance(fails(*parts), kind)


# urllib3 leaves the answer that it refuses to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_two_lengths_are_no_answer() -> None:
    error = fails(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nx")
    assert type(error) is ModelInvalidResponse
    del error
    gc.collect()


def test_mistrals_lists_and_refusals_are_read() -> None:
    parts = '[{"type":"thinking","thinking":[{"text":"hm"}]},{"type":"text","text":"Yes"}]'
    listed = STREAM, event(f'{{"choices":[{{"delta":{{"content":{parts}}}}}]}}')
    with Server(answers(*listed, delta("", '"stop"'), DONE, END)) as server:
        assert ask(to(server)) == "Yes"
    refusal = event('{"choices":[{"delta":{"content":null,"refusal":"No."}}]}')
    with Server(answers(STREAM, refusal, delta("", '"stop"'), DONE, END)) as server:
        assert ask(to(server)) == "No."


def test_an_empty_reply_that_hit_its_bound_has_ended() -> None:
    with Server(answers(STREAM, delta("", '"length"'), DONE, END)) as server:
        assert ask(to(server)) == ""


@pytest.mark.parametrize("text", ["", " ", r"\n \t"])
def test_a_reply_of_blanks_that_stopped_by_itself_is_no_reply(text: str) -> None:
    error = fails(STREAM, delta(text, '"stop"'), DONE, END)
    assert type(error) is ModelInvalidResponse
    assert error.retryable


@pytest.mark.security("S31")
def test_a_redirect_is_not_followed() -> None:
    with Server(answers(document(GOOD))) as elsewhere:
        redirect = f"HTTP/1.1 307 Go\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n"
        assert type(fails(redirect.encode())) is ModelBadRequest
        assert elsewhere.connections == 0


def test_a_text_that_cannot_be_sent_is_refused_without_a_call() -> None:
    with Server(answers(document(GOOD))) as server:
        with pytest.raises(ModelBadRequest):
            ask(to(server), prompt("\ud83d"))
        assert server.connections == 0


ENDLESS: dict[str, Callable[[], bytes]] = {
    "document": lambda: b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n",
    "line": lambda: b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: ",
    "chunk": lambda: STREAM + b"ffffffff\r\ndata: ",
    "error": lambda: b"HTTP/1.1 500 No\r\nContent-Type: application/json\r\n\r\n",
}


@pytest.mark.security("S27")
@pytest.mark.parametrize("kind", ENDLESS)
def test_an_endless_body_is_given_up(kind: str) -> None:
    sent = 0

    def endless(connection: socket.socket) -> None:
        nonlocal sent
        read_request(connection)
        connection.sendall(ENDLESS[kind]())
        while True:
            connection.sendall(b"x" * 65_536)
            sent += 65_536

    with Server(endless) as server:
        with pytest.raises(ModelInvalidResponse if kind != "error" else ModelUnavailable):
            ask(to(server))
        assert server.client_has_gone()
    assert sent < 3 * MAX_DOCUMENT_BYTES


HUNGRY = """
import resource, sys
from chat.domain.errors import ModelInvalidResponse
from tests.integration.providers.calls import ask
from chat.providers.openai import OpenAI
from tests.unit.providers.models import model, prompt
provider = OpenAI(model(url=sys.argv[1], stream=False))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for fault in ("huge", "gzip_bomb", "long_line"):
    try:
        ask(provider, prompt(f"[[fault:{fault} mb=200]] x"))
    except ModelInvalidResponse:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.security("S27")
def test_a_huge_answer_does_not_fill_the_memory(fake_model: FakeModel) -> None:
    grown = subprocess.run(
        [sys.executable, "-c", HUNGRY, fake_model.url + "/v1"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(grown.stdout) < 50_000  # KB


@pytest.mark.security("S33", "S39")
def test_logs_contain_no_prompt_token_or_vendor_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "nightingale"
    bird = canary.encode()
    complaint = b'{"error":{"message":"%b","type":"a %b","code":"bad_thing"}}' % (bird, bird)
    strange = (
        b"HTTP/1.1 400 No\r\nContent-Length: %d\r\n\r\n%b" % (len(complaint), complaint),
        document(b'{"choices":[{"message":{"content":"' + bird),
        STREAM + delta(canary) + event(canary),
        bird + b"\r\n\r\n",
        b"HTTP/1.1 400 No\r\n%b\r\nContent-Length: 0\r\n\r\n" % bird,
    )
    for answer in strange:
        with Server(answers(answer)) as server, pytest.raises(ProviderError) as caught:
            ask(to(server, token=canary), prompt(canary))
        logging.getLogger("test").error("failed", exc_info=caught.value)
    assert "bad_thing" in caplog.text
    assert canary not in caplog.text
