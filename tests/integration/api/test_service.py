"""Models, health checks, the schema and Swagger UI."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import requests
import schemathesis

from project.runner.process import ROOT
from tests.harness.concurrency import run_concurrently
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient, status_and_code


def test_model_list_reveals_no_url_or_token(
    api_with: Callable[..., APIClient],
) -> None:
    api = api_with(MODEL_URL="http://127.0.0.1:9/secret-place", MODEL_TOKEN="secret-key")
    response = api.get("/models")
    assert [model["name"] for model in response.json()["data"]] == ["default"]
    assert response.json()["data"][0]["is_default"] is True
    assert "secret" not in response.text


def test_web_process_without_redis_is_live_but_not_ready(
    build_stack: Callable[..., Stack],
) -> None:
    stack = build_stack()
    stack.redis.start()
    api = APIClient(stack.web().start().url)
    owner = api.open_session()
    assert (api.get("/live").status_code, api.get("/ready").status_code) == (200, 200)
    stack.redis.kill()
    assert api.get("/live").status_code == 200
    assert status_and_code(api.get("/ready")) == (503, "store_unavailable")
    assert status_and_code(owner.get()) == (503, "store_unavailable")
    assert status_and_code(owner.get(params={"wait": 5})) == (503, "store_unavailable")
    assert status_and_code(owner.post("/messages", {"content": "hi"})) == (503, "store_unavailable")
    assert status_and_code(api.post("/sessions")) == (503, "store_unavailable")
    stack.redis.start()
    wait_until(lambda: api.get("/ready").status_code == 200)


def test_web_process_is_live_while_redis_blocks_its_threads(
    build_stack: Callable[..., Stack],
) -> None:
    stack = build_stack(env={"CHAT_WEB_THREADS": "1", "CHAT_STORE_TIMEOUT": "20"})
    stack.redis.start()
    api = APIClient(stack.web().start().url)
    stack.redis.freeze()
    with ThreadPoolExecutor() as pool:
        blocked = pool.submit(api.post, "/sessions")
        assert api.get("/live").status_code == 200
        assert not blocked.done()
        stack.redis.thaw()
        assert blocked.result().status_code == 201
    assert api.get("/ready").status_code == 200


@pytest.mark.thorough
def test_concurrent_first_schema_requests_succeed(
    api_with: Callable[..., APIClient],
) -> None:
    api = api_with()
    responses = run_concurrently([partial(requests.get, f"{api.url}/schema")] * 8)
    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1


def test_schema_is_valid(api: APIClient) -> None:
    schemathesis.openapi.from_dict(api.get("/schema").json()).validate()


def test_all_operations_are_documented(api: APIClient) -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    page = text.partition("\n## Endpoints\n")[2].partition("\n## ")[0]
    operations = re.findall(
        r"`([A-Z]+) (/[^`? ]*)", "".join(re.findall(r"^\| (`.*?) \| \d", page, re.M))
    )
    paths = api.get("/schema").json()["paths"]
    # Those of other vendors' protocols have other pages (tests/integration/protocols).
    own = {path: acts for path, acts in paths.items() if not path.startswith(("/v1/", "/ui/"))}
    known = [(act.upper(), path) for path, acts in own.items() for act in acts]
    assert sorted(map(without_names, operations)) == sorted(map(without_names, known))


def without_names(call: tuple[str, str]) -> tuple[str, str]:
    """Return the operation without the names of its path parameters."""
    return call[0], re.sub(r"\{\w+\}", "{}", call[1])


def test_schema_describes_the_event_stream(owner: APIClient) -> None:
    operations = owner.get("/schema").json()["paths"]["/sessions/{session_id}/events"]["get"]
    assert {each["name"] for each in operations["parameters"]} == {
        *("session_id", "after", "ticket", "Last-Event-ID")
    }
    with owner.get(f"{owner.path}/events?after=0", stream=True) as stream:
        assert stream.headers["Content-Type"] in operations["responses"]["200"]["content"]
    asked = {
        "400": owner.get(f"{owner.path}/events?after=x"),
        "401": APIClient(owner.url).get(f"{owner.path}/events"),
        "404": owner.get("/sessions/ses_none/events"),
    }
    assert {status: str(response.status_code) for status, response in asked.items()} == {
        status: status for status in asked
    }
    assert asked.keys() <= operations["responses"].keys()


def test_docs_page_has_no_external_or_inline_code(api: APIClient) -> None:
    page = api.get("/docs").text
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sources
    assert all(source.startswith("/static/") for source in sources)
    for source in sources:
        assert api.get(source).status_code == 200
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", page)
    assert 'url: "schema"' in api.get("/static/chat/docs.js").text
