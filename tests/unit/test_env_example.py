"""`.env.example` names every setting, and tells the truth about its default."""

import re
from pathlib import Path

import pytest

from chat.settings import ChatSettings
from project import settings

ROOT = Path(settings.BASE_DIR)
EXAMPLE = dict(re.findall(r"^#([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
SETTINGS = sorted(ChatSettings.__annotations__)
READERS = [
    "chat/llm_config.py",
    "project/runner/management/commands/run.py",
    "project/settings.py",
]
READ = re.compile(r"""(?:env\.\w+\(|environ\.get\(|environ\[)\s*"([A-Z_]+)\"""")


def names_read(path: str) -> set[str]:
    return set(READ.findall((ROOT / path).read_text()))


@pytest.mark.parametrize("path", READERS)
def test_every_variable_that_is_read_is_named(path: str) -> None:
    assert names_read(path)
    assert names_read(path) <= EXAMPLE.keys()


def test_nothing_is_named_that_nobody_reads() -> None:
    read = {"CHAT_MODELS_FILE"}.union(*map(names_read, READERS))
    assert set(EXAMPLE) == read | {f"CHAT_{name}" for name in SETTINGS}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_named_with_its_default(name: str) -> None:
    assert EXAMPLE.get(f"CHAT_{name}") == str(getattr(ChatSettings, name))
