"""What imitated servers require of a request, and the errors that they send."""

from collections.abc import Callable

import pytest

from tests.integration.fakemodel.server import CHAT, TIMEOUT, FakeModel, request_body

StartModel = Callable[..., FakeModel]

AZURE = "/openai/deployments/any/chat/completions"


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("openai", CHAT, 401),
        ("azure", f"{AZURE}?api-version=1", 401),
        ("mistral", CHAT, 401),
        ("gemini", "/v1beta/openai/chat/completions", 401),
        ("vllm", CHAT, 200),
    ],
)
def test_some_require_a_key(start: StartModel, name: str, path: str, status: int) -> None:
    model = start("--as", name)
    body = request_body(CHAT, "Hello")
    keys = {"authorization": "Bearer any", "api-key": "any"}

    without = model.session.post(model.url + path, json=body, timeout=TIMEOUT)
    authorized = model.session.post(model.url + path, json=body, timeout=TIMEOUT, headers=keys)

    assert (without.status_code, authorized.status_code) == (status, 200)


def test_azure_requires_an_api_version(start: StartModel) -> None:
    model = start("--as", "azure")

    response = model.session.post(
        model.url + AZURE,
        json=request_body(CHAT, "Hello"),
        headers={"api-key": "any"},
        timeout=TIMEOUT,
    )

    assert response.status_code == 404
    assert response.json() == {"error": {"code": "404", "message": "Resource not found"}}


def test_mistral_rejects_unknown_fields(start: StartModel) -> None:
    model = start("--as", "mistral")
    model.session.headers["authorization"] = "Bearer any"

    response = model.post(CHAT, "Hello", seed=1)

    assert response.status_code == 422
    assert response.json()["message"]["detail"][0]["loc"] == ["body", "seed"]


@pytest.mark.parametrize(("name", "status"), [("openai", 400), ("tgi", 422), ("vllm", 200)])
def test_some_accept_four_stop_sequences(start: StartModel, name: str, status: int) -> None:
    model = start("--as", name)
    model.session.headers["authorization"] = "Bearer any"

    assert model.post(CHAT, "Hello", stop=list("1234")).status_code == 200
    assert model.post(CHAT, "Hello", stop=list("12345")).status_code == status


def test_headers_are_those_of_the_server(start: StartModel) -> None:
    model = start("--as", "vllm")

    replies = [model.post(CHAT, text) for text in ("Hello", "[[fault:500]]")]

    assert [reply.headers["server"] for reply in replies] == ["uvicorn", "uvicorn"]


def test_recording_and_scripts_work(start: StartModel) -> None:
    model = start("--as", "vllm", "--record")
    model.script({"reply": "Well done."})

    assert model.ask("Hello") == "Well done."
    (call,) = model.calls()
    assert (call["format"], call["last_user_message"]) == ("chat", "Hello")
    assert model.post("/v1/completions", "Hello").status_code == 404
