"""Files over REST, and messages with parts."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.processes import Process
from tests.harness.stack import Stack
from tests.integration.api import fake_worker
from tests.integration.api.client import APIClient, error_code, status_and_code

PNG = b"\x89PNG\r\n\x1a\n"


def upload(client: APIClient, content: bytes = PNG, query: str = "") -> Any:
    return client.request("POST", f"{client.path}/files{query}", data=content)


@pytest.fixture(scope="module")
def seeing_web(parley: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A web process whose model reads images."""
    env = {"MODEL_INPUTS": "text,image", "CHAT_MAX_FILE_BYTES": "20000"}
    env["REDIS_URL"] = parley.redis.url
    with Stack(tmp_path_factory.mktemp("seeing"), env=env) as stack:
        yield stack.web().start()


@pytest.fixture
def seeing(seeing_web: Process) -> APIClient:
    """A client with a session whose model reads images."""
    return APIClient(seeing_web.url).open_session()


@pytest.mark.security("S35")
def test_file_is_stored_and_served_as_an_attachment(owner: APIClient) -> None:
    response = upload(owner, b"<script>alert(1)</script>", "?filename=../a%22b.html")
    assert response.status_code == 201
    file = response.json()
    assert (file["media_type"], file["filename"], file["bytes"]) == ("text/plain", 'a"b.html', 25)
    got = owner.get(response.headers["Location"])
    assert got.content == b"<script>alert(1)</script>"
    assert got.headers["Content-Type"] == "text/plain"
    assert got.headers["Content-Disposition"] == "attachment; filename*=UTF-8''a%22b.html"
    assert got.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert got.headers["Cache-Control"] == "no-store"
    assert got.headers["X-Content-Type-Options"] == "nosniff"


def test_files_of_others_do_not_exist(api: APIClient, owner: APIClient) -> None:
    path = f"{owner.path}/files/{upload(owner).json()['id']}"
    other = api.open_session()
    assert status_and_code(other.get(path)) == (404, "session_not_found")
    assert status_and_code(other.get(path.replace(owner.id, other.id))) == (404, "file_not_found")
    assert status_and_code(api.request("POST", f"{owner.path}/files", data=PNG)) == (
        401,
        "invalid_token",
    )


def test_unknown_types_and_large_files_are_rejected(seeing: APIClient) -> None:
    assert status_and_code(upload(seeing, b"MZ\0")) == (400, "unsupported_content")
    assert status_and_code(upload(seeing, b"")) == (400, "unsupported_content")
    assert upload(seeing, b"x" * 20_000).status_code == 201
    assert status_and_code(upload(seeing, b"x" * 20_001)) == (413, "body_too_large")
    assert status_and_code(upload(seeing, PNG, "?name=a")) == (400, "invalid_request")


def test_message_with_parts_is_accepted(seeing: APIClient) -> None:
    image = {"type": "image", "file_id": upload(seeing).json()["id"]}
    parts = [{"type": "text", "text": "a"}, image, {"type": "text", "text": "b"}]
    for _ in range(2):
        response = seeing.post("/messages", {"parts": parts}, Idempotency_Key="12345678")
        assert response.status_code == 202
    message = response.json()["message"]
    assert (message["id"], message["content"]) == ("msg_1", "a\nb")
    assert [part["type"] for part in message["parts"]] == ["text", "image", "text"]
    assert seeing.get_session()["messages"][0] == message
    claim = fake_worker.claim_turn(seeing.id)
    assert [part.file_id for part in claim.history[-1].parts][1] == image["file_id"]
    other = seeing.post("/messages", {"parts": parts[:2]}, Idempotency_Key="12345678")
    assert error_code(other) == "idempotency_mismatch"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image"},
        {"type": "image", "text": "a"},
        {"type": "image", "file_id": "file_1"},
        {"type": "image", "file_id": "file_" + "0" * 24},
        {"type": "image", "url": "http://example.org/a.png"},
        {"type": "text", "text": " "},
        {"type": "audio", "text": "a"},
        {"type": "text", "text": "a", "more": 1},
    ],
)
def test_invalid_parts_are_rejected(seeing: APIClient, part: dict[str, Any]) -> None:
    response = seeing.post("/messages", {"parts": [part]})
    assert status_and_code(response) == (400, "invalid_request")


@pytest.mark.security("S31")
@pytest.mark.parametrize("host", ["169.254.169.254", "redis", "metadata.google.internal"])
def test_image_of_an_internal_host_is_forbidden(seeing: APIClient, host: str) -> None:
    part = {"type": "image", "url": f"https://{host}/a.png"}
    response = seeing.post("/messages", {"parts": [part]})
    assert status_and_code(response) == (400, "forbidden_url")


def test_what_the_model_does_not_read_is_rejected(owner: APIClient, seeing: APIClient) -> None:
    file_id = upload(seeing, b"text").json()["id"]
    for client, part in (
        (seeing, {"type": "file", "file_id": file_id}),
        (seeing, {"type": "image", "url": "https://example.org/a.png"}),
        (owner, {"type": "image", "file_id": upload(owner).json()["id"]}),
    ):
        response = client.post("/messages", {"parts": [part]})
        assert status_and_code(response) == (400, "unsupported_content")
        assert client.get_session()["messages"] == []
    text_only = {"parts": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    message = owner.post("/messages", text_only).json()["message"]
    assert (message["content"], "parts" in message) == ("a\nb", False)
