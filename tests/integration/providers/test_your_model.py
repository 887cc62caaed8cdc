"""The settings in docs/your-model.md configure a model that responds."""

import re
import shlex
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from urllib.parse import urlsplit

import pytest

from chat.llm_config import read_models
from chat.providers.registry import provider_for
from project.runner.process import ROOT
from tests.integration.fakemodel.server import FakeModel

PAGE = (ROOT / "docs" / "your-model.md").read_text()
TABS = {
    name: dedent(text)
    for name, text in re.findall(r'^=== "(.+)"\n((?:\n|    .*\n)+)', PAGE, re.MULTILINE)
}


def variables(tab: str) -> dict[str, str]:
    """Return the variables before `make run`."""
    script = "".join(re.findall(r"^```sh\n(.*?)^```", tab, re.MULTILINE | re.DOTALL))
    line = script.replace("\\\n", "").partition(" make run")[0].splitlines()[-1]
    return dict(each.split("=", 1) for each in shlex.split(line))


def test_page_covers_its_vendors() -> None:
    assert set(TABS) == {"Ollama", "vLLM", "Mistral", "OpenAI", "Hugging Face"}


@pytest.mark.parametrize("name", TABS)
def test_documented_settings_make_a_call(name: str, fake_model: FakeModel, tmp_path: Path) -> None:
    environ = variables(TABS[name])
    for file in re.findall(r"^```toml\n(.*?)^```", TABS[name], re.MULTILINE | re.DOTALL):
        path = tmp_path / environ["CHAT_MODELS_FILE"]
        path.write_text(file)
        environ["CHAT_MODELS_FILE"] = str(path)
    model = read_models(environ)["default"]
    fake_model.reset()
    provider_for(replace(model, url=fake_model.url + urlsplit(model.url).path)).probe()
    (call,) = fake_model.calls()
    assert call["model"] == model.model
    keys = [value for name, value in environ.items() if name.endswith(("TOKEN", "KEY"))]
    assert model.token == "".join(keys)
