"""Every command and program in the README and docs runs, or says why not."""

import os
import re
from pathlib import Path

import pytest
from pytest_django import Settings

from chat.accounts import api_keys
from chat.domain import Scope
from chat.llm_config import read_models
from chat.store.client import client as store_client
from project.runner.process import ROOT
from tests.harness.environment import without_parley_variables
from tests.harness.stack import Stack, port_of
from tests.integration.examples.pages import OTHERS, PROGRAMS, Block, blocks, languages, pages
from tests.integration.examples.programs import commands, prepare_directory, run

ADDRESSES = ("http://127.0.0.1:8000", "https://chat.example.org")
NOT_RUN = "not run: "
RUN_BY = "run by: "
# Parts of the output of a page.
OUTPUT = {
    "README.md": ["event: message.completed", "sea salty", '"queue_position":0'],
    "clients/js/README.md": ["sea salty"],
    "docs/authentication.md": ['"deleted_sessions"'],
    "docs/client.md": ["assistant completed", "sea salty"],
    "docs/javascript.md": ["assistant completed", "sea salty"],
    "docs/openai.md": ["Ann", '"status":"completed"'],
    "docs/start.md": ["202 Accepted", '"next_poll"', "event: message.delta", "sea salty"],
    "docs/subscriptions.md": ["retry: ", "event: message.queued\ndata: {"],
}
PAGES = [page for page in pages() if any(not block.mark for block in blocks(page))]


@pytest.fixture
def api_key(stack: Stack, settings: Settings) -> str:
    settings.REDIS_URL = stack.redis.url
    store_client.cache_clear()  # tests before may have used another Redis
    text, _ = api_keys.create(name="docs", tenant="docs", scopes=list(Scope))
    return text


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_programs_of_the_page_run(
    stack: Stack, api_key: str, tmp_path: Path, page: str
) -> None:
    url = stack.web().url
    env = stack.env | {"PARLEY_URL": url, "PORT": str(port_of(url))}
    env |= {"OPENAI_API_KEY": api_key, "OPENAI_BASE_URL": f"{url}/v1"}
    env.pop("MODEL_INPUTS", None)  # of the stack; models in the docs have their own
    output = run(
        [block for block in blocks(page) if not block.mark],
        prepare_directory(tmp_path),
        env=env,
        replace=dict.fromkeys(ADDRESSES, url) | {'"pk_..."': f'"{api_key}"', "rate=10": "rate=200"},
    )
    for text in [*OUTPUT.get(page, []), *documented_members(page)]:
        assert text in output
    for started in (tmp_path / "runs").iterdir():
        check_models(started.read_text())


def documented_members(page: str) -> set[str]:
    """Return the members of the responses that docs/api.md shows next to its commands."""
    if page != "docs/api.md":
        return set()
    shown = (ROOT / page).read_text().partition("\n## Authentication")[0]
    bodies = re.findall(r"^```json\n(.*?)^```", shown, re.MULTILINE | re.DOTALL)
    return set(re.findall(r'"\w+":', "".join(bodies)))


def check_models(environ: str) -> None:
    """Read the models of the variables that `make run` got."""
    variables = dict(each.split("=", 1) for each in environ.split("\0") if each)
    assert read_models(without_parley_variables(os.environ) | variables)


@pytest.mark.parametrize("page", pages())
def test_blocks_that_are_not_run_here_say_why(page: str) -> None:
    for block in blocks(page):
        runs_here = not block.mark and block.language in commands()
        assert runs_here or is_reason(block), f"{page}:{block.line}: {block.mark}"


@pytest.mark.parametrize("page", pages())
def test_all_blocks_have_a_known_language(page: str) -> None:
    """A block of another language, or of none, would be left out."""
    found = languages(page)
    assert {*found} <= PROGRAMS | OTHERS
    assert [each for each in found if each in PROGRAMS] == [each.language for each in blocks(page)]


def is_reason(block: Block) -> bool:
    """Return whether the mark names a test that reads the page, or has a reason."""
    test = ROOT / block.mark.removeprefix(RUN_BY)
    if block.mark.startswith(RUN_BY):
        return test.is_file() and Path(block.page).name in test.read_text()
    return bool(re.fullmatch(rf"{NOT_RUN}\w.{{10,}}", block.mark))


def test_types_of_the_docs_are_exported() -> None:
    exported = "".join(path.read_text() for path in (ROOT / "clients/js/dist").glob("*.d.ts"))
    for block in blocks("docs/javascript.md"):
        if block.language == "ts":
            for name in re.findall(r"\w+", block.code.partition("{")[2].partition("}")[0]):
                assert re.search(rf"\b{name}\b", exported)
