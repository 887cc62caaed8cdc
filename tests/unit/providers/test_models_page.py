"""docs/models.md matches the code."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from chat.domain import Model, Timeouts
from chat.domain.errors import ProviderError, UpstreamClosed
from chat.llm_config import read_models
from chat.providers.finish_reasons import FINISH_REASONS
from chat.providers.registry import ALIASES, provider_for

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "models.md").read_text()
EXAMPLES = "\n".join(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
DOCUMENTED_ELSEWHERE = {"name", "provider", "url"}


def with_subclasses(error: type[ProviderError]) -> set[type[ProviderError]]:
    return {error}.union(*map(with_subclasses, error.__subclasses__()))


def test_every_example_creates_a_provider(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text(EXAMPLES)
    tokens = dict.fromkeys(re.findall(r'token_env = "(\w+)"', EXAMPLES), "secret")
    environ = {"CHAT_MODELS_FILE": str(path), "CHAT_DEFAULT_MODEL": "reasoning", **tokens}
    models = read_models(environ)
    assert {type(provider_for(model)).__module__ for model in models.values()} == {
        path.rpartition(".")[0] for path in ALIASES.values()
    }


DOCUMENTED = sorted(
    with_subclasses(ProviderError) - {ProviderError, UpstreamClosed}, key=lambda kind: kind.code
)


@pytest.mark.parametrize("kind", DOCUMENTED)
def test_every_error_is_documented(kind: type[ProviderError]) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{kind.code}`"))
    assert row.rstrip(" |").rpartition("|")[2].strip().startswith("yes") is kind.retryable
    assert ("uses no attempt" in row) is not kind.counts_as_attempt


def test_every_field_is_documented() -> None:
    names = {field.name for field in fields(Model)} - DOCUMENTED_ELSEWHERE
    names |= {field.name for field in fields(Timeouts)}
    assert {name for name in names if f"`{name}`" not in PAGE} == set()


def test_every_finish_reason_is_documented() -> None:
    for word, reason in FINISH_REASONS.items():
        assert re.search(rf"^\| .*`{word}`.*\| `{reason}` \|", PAGE, re.MULTILINE), word
