"""The examples in docs/models.md."""

import re
from pathlib import Path

from chat.llm_config import read_models
from chat.providers.registry import ALIASES, provider_for

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "models.md").read_text()
EXAMPLES = "\n".join(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))


def test_every_example_creates_a_provider(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text(EXAMPLES)
    tokens = dict.fromkeys(re.findall(r'token_env = "(\w+)"', EXAMPLES), "secret")
    environ = {"CHAT_MODELS_FILE": str(path), "CHAT_DEFAULT_MODEL": "reasoning", **tokens}
    models = read_models(environ)
    assert {type(provider_for(model)).__module__ for model in models.values()} == {
        path.rpartition(".")[0] for path in ALIASES.values()
    }
