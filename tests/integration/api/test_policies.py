"""Rules of operators: what clients may choose, per API key and per model."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from chat.accounts import api_keys
from chat.conversation import sessions
from chat.domain import Caller
from chat.domain.policy import Policy
from tests.harness.stack import Stack
from tests.integration.api.client import APIClient, status_and_code

NOT_ALLOWED = (403, "not_allowed")
MODELS = """
[default]
provider = "openai"
url = "http://127.0.0.1:1/v1"
model = "m"

[fixed]
provider = "openai"
url = "http://127.0.0.1:1/v1"
model = "m"
system_prompt = "Be brief."
client_options = {max_tokens = 100, stop = true}

[inner]
provider = "openai"
url = "http://127.0.0.1:1/v1"
model = "m"
allow_anonymous = false
"""


@pytest.fixture(scope="module")
def strict_stack(parley: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A web process with three models."""
    directory = tmp_path_factory.mktemp("policies")
    file: Path = directory / "models.toml"
    file.write_text(MODELS)
    env = {**parley.redis_env, "CHAT_MODELS_FILE": str(file)}
    with Stack(directory, env=env) as stack:
        stack.web().start()
        yield stack


@pytest.fixture
def strict(strict_stack: Stack) -> APIClient:
    return APIClient(strict_stack.web().url)


@pytest.fixture
def key(strict: APIClient) -> Callable[..., APIClient]:
    """Return a function that creates an API key with a policy, and returns its client."""

    def create(**policy: Any) -> APIClient:
        text, _ = api_keys.create(name="test", policy=Policy(**policy))
        return APIClient(strict.url, token=text)

    return create


def refused(response: requests.Response) -> tuple[int, str, str]:
    return (*status_and_code(response), response.json()["error"]["param"])


def staff_prompt(page: APIClient) -> Any:
    return orjson.loads(sessions.read(Caller.internal(page.id), limit=0).system_prompt)


def send(client: APIClient, **options: Any) -> requests.Response:
    return client.post("/messages", {"content": "hello", "options": options})


@pytest.mark.security("S60")
def test_key_fixes_the_system_prompt(key: Callable[..., APIClient]) -> None:
    backend = key(system_prompt="You help with invoices.")
    page = backend.open_session()
    assert staff_prompt(page) == "You help with invoices."
    for client in (page, backend):
        assert client.get(page.path).json()["system_prompt"] is None
    expected = (*NOT_ALLOWED, "system_prompt")
    assert refused(backend.post("/sessions", {"system_prompt": "Obey."})) == expected
    for prompt in ("Obey.", "", None):
        response = page.request("PATCH", page.path, json={"system_prompt": prompt})
        assert refused(response) == expected
    assert page.request("PATCH", page.path, json={"name": "renamed"}).status_code == 200


def test_key_limits_the_models(key: Callable[..., APIClient]) -> None:
    backend = key(models=("inner", "fixed"))
    page = backend.open_session()
    assert page.get_session()["model"] == "inner"
    assert refused(backend.post("/sessions", {"model": "default"})) == (*NOT_ALLOWED, "model")
    for model, expected in (("default", 403), ("fixed", 200), (None, 200)):
        response = page.request("PATCH", page.path, json={"model": model})
        assert response.status_code == expected
    assert page.get_session()["model"] == "inner"


def names(response: requests.Response) -> list[str]:
    return [model.get("name") or model["id"] for model in response.json()["data"]]


@pytest.mark.security("S60")
def test_models_that_a_client_may_not_use_are_not_listed(
    strict: APIClient, key: Callable[..., APIClient]
) -> None:
    backend = key(models=("inner", "fixed"))
    expected = {strict: ["default", "fixed"], strict.open_session(): ["default", "fixed"]}
    expected |= {key(): ["default", "fixed", "inner"], backend: ["fixed", "inner"]}
    expected[backend.open_session()] = ["fixed", "inner"]
    for client, listed in expected.items():
        assert names(client.get("/models")) == listed
        if client is not strict:
            assert names(client.get("/v1/models")) == listed
            status = client.get("/v1/models/default").status_code
            assert status == (200 if "default" in listed else 404)


def test_key_limits_the_options(key: Callable[..., APIClient]) -> None:
    page = key(client_options={"max_tokens": 50, "seed": True}).open_session()
    assert refused(send(page, max_tokens=51)) == (400, "invalid_request", "options.max_tokens")
    assert refused(send(page, temperature=0.5)) == (*NOT_ALLOWED, "options.temperature")
    assert send(page, max_tokens=50, seed=7).status_code == 202
    regenerate = f"{page.path}/messages/msg_2/regenerate"
    response = page.post(regenerate, {"options": {"max_tokens": 51}})
    assert refused(response) == (400, "invalid_request", "options.max_tokens")
    none = key(client_options={}).open_session()
    assert refused(send(none, seed=7)) == (*NOT_ALLOWED, "options.seed")
    assert none.post("/messages", {"content": "no options"}).status_code == 202


def test_model_fixes_prompt_and_options(strict: APIClient) -> None:
    page = strict.open_session(model="fixed")
    body = {"model": "fixed", "system_prompt": "Obey."}
    assert refused(strict.post("/sessions", body)) == (*NOT_ALLOWED, "system_prompt")
    response = page.request("PATCH", page.path, json={"system_prompt": "Obey."})
    assert refused(response) == (*NOT_ALLOWED, "system_prompt")
    assert refused(send(page, max_tokens=101)) == (400, "invalid_request", "options.max_tokens")
    assert refused(send(page, seed=1)) == (*NOT_ALLOWED, "options.seed")
    assert send(page, max_tokens=100, stop=["x"]).status_code == 202
    assert send(strict.open_session(), seed=1, max_tokens=4000).status_code == 202


def test_model_is_not_for_anonymous_clients(
    strict: APIClient, key: Callable[..., APIClient]
) -> None:
    page = strict.open_session()
    expected = (400, "unknown_model", "model")
    assert refused(strict.post("/sessions", {"model": "inner"})) == expected
    assert refused(page.request("PATCH", page.path, json={"model": "inner"})) == expected
    assert key().open_session(model="inner").get_session()["model"] == "inner"


@pytest.mark.security("S60")
def test_anonymous_sessions_can_be_switched_off(api_with: Callable[..., APIClient]) -> None:
    api = api_with(CHAT_ANONYMOUS_SESSIONS="False")
    expected = (401, "invalid_token")
    assert status_and_code(api.post("/sessions", {})) == expected
    assert status_and_code(api.post("/token?name=a", {})) == expected
    token, _ = api_keys.create(name="backend")
    page = APIClient(api.url, token=token).open_session()
    page.post_message("hello")
    assert status_and_code(page.post("/sessions", {})) == expected
