"""The memory that the files of prompts take."""

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from unittest.mock import Mock

import pytest
from pytest_django import Settings

from chat.conversation.files import describe
from chat.domain import Caller, LimiterDelay, WaitReason
from chat.domain.files import Part, PartType, to_data_url
from chat.store import files, turns
from chat.store.message_json import parts_json
from chat.worker import prompt_files
from chat.worker.limiter import model_limiter
from tests.integration.providers.raw_server import D, E, H, RawServer, X, read_request
from tests.integration.store import steps
from tests.integration.worker import turns as turns_on_loop
from tests.unit.providers.models import model

PDF = b"%PDF-1.7" + b"x" * 992
REFERENCES = 20


@pytest.fixture
def ask(settings: Settings) -> Callable[[], tuple[str, list[bytes]]]:
    def run() -> tuple[str, list[bytes]]:
        """Post a message that refers to a PDF often; return the reply's status and the request."""
        requests: list[bytes] = []

        def handle(connection: socket.socket) -> None:
            requests.append(read_request(connection))
            connection.sendall(H + D + E + X)
            connection.shutdown(socket.SHUT_WR)

        with RawServer(handle) as server:
            reader = model(name="default", url=server.url, inputs=("text", "file"))
            settings.CHAT_MODELS = {"default": reader}
            caller = steps.create_session()
            accepted = turns.submit(caller, replace(steps.submission("Read"), parts=pdfs(caller)))
            turns_on_loop.run_turn(caller.session_id)
        reply = steps.find_message(caller, json.loads(accepted.reply)["id"])
        return reply["status"], requests

    return run


def pdfs(caller: Caller) -> bytes:
    file = describe(PDF)
    files.put(caller, file, PDF)
    return parts_json([Part(PartType.FILE).with_file(file)] * REFERENCES)


@pytest.mark.security("S63")
def test_file_of_many_parts_is_encoded_once(
    ask: Callable[[], tuple[str, list[bytes]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = Mock(side_effect=to_data_url)
    monkeypatch.setattr(prompt_files, "to_data_url", encode)
    status, (request,) = ask()
    assert status == "completed"
    assert request.count(to_data_url("application/pdf", PDF).encode()) == REFERENCES
    encode.assert_called_once()


@pytest.mark.security("S63")
@pytest.mark.parametrize("has_memory", [True, False])
def test_files_are_read_only_for_calls_that_may_start(
    ask: Callable[[], tuple[str, list[bytes]]], monkeypatch: pytest.MonkeyPatch, has_memory: bool
) -> None:
    async def block(*_: object, **__: object) -> LimiterDelay:
        return LimiterDelay(seconds=1, reason=WaitReason.QUEUE)

    size = len(PDF) * REFERENCES
    memory = prompt_files.FileMemory(size if has_memory else size - 1)
    monkeypatch.setattr(prompt_files, "file_memory", memory)
    if has_memory:
        monkeypatch.setattr(model_limiter, "acquire", block)
    read = Mock()
    monkeypatch.setattr(prompt_files, "load", read)
    assert ask() == ("queued", [])
    read.assert_not_called()


@pytest.mark.security("S63")
def test_memory_is_free_after_a_call(
    ask: Callable[[], tuple[str, list[bytes]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = prompt_files.FileMemory(len(PDF) * REFERENCES)
    monkeypatch.setattr(prompt_files, "file_memory", memory)
    assert [ask()[0] for _ in range(2)] == ["completed"] * 2
