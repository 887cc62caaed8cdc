"""The settings in docs/your-model.md configure models that respond."""

import re
import shlex
from dataclasses import replace
from textwrap import dedent
from urllib.parse import urlsplit

import pytest

from chat.llm_config import read_models
from chat.providers.registry import provider_for
from fakemodel.imitations.registry import IMITATIONS
from tests.integration.fakemodel.server import FakeModel
from tests.integration.providers.documented import ENTRIES, PAGE

TABS = {
    name: dedent(text)
    for name, text in re.findall(r'^=== "(.+)"\n((?:\n|    .*\n)+)', PAGE, re.MULTILINE)
}
SERVERS = [name for name in IMITATIONS if name != "vllm-earlier"]


def variables(tab: str) -> dict[str, str]:
    """Return the variables before `make run`."""
    script = "".join(re.findall(r"^```sh\n(.*?)^```", tab, re.MULTILINE | re.DOTALL))
    line = script.replace("\\\n", "").partition(" make run")[0].splitlines()[-1]
    return dict(each.split("=", 1) for each in shlex.split(line))


def test_page_covers_its_vendors() -> None:
    assert set(TABS) == {"Ollama", "vLLM", "OpenAI", "Hugging Face"}
    assert list(ENTRIES) == SERVERS


@pytest.mark.parametrize("name", TABS)
def test_documented_variables_make_a_call(name: str, fake_model: FakeModel) -> None:
    environ = variables(TABS[name])
    model = read_models(environ)["default"]
    fake_model.reset()
    provider_for(replace(model, url=fake_model.url + urlsplit(model.url).path)).check()
    (call,) = fake_model.calls()
    assert call["model"] == model.model
    keys = [value for name, value in environ.items() if name.endswith(("TOKEN", "KEY"))]
    assert model.token == "".join(keys)
