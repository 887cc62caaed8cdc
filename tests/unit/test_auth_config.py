"""Issuers in a TOML file."""

from pathlib import Path

import pytest

from chat.auth_config import read_issuers
from chat.domain import Issuer
from chat.domain.errors import ConfigError

COMPLETE = """[[issuers]]
issuer = "https://login.example"
audience = "parley"
tenant = "acme"
jwks_url = "https://login.example/jwks.json"
"""


def read(tmp_path: Path, text: str) -> dict[str, Issuer]:
    file = tmp_path / "auth.toml"
    file.write_text(text)
    return read_issuers({"CHAT_AUTH_FILE": str(file)})


def test_issuers_have_their_fields(tmp_path: Path) -> None:
    issuers = read(tmp_path, COMPLETE + COMPLETE.replace("login", "other"))
    assert issuers.keys() == {"https://login.example", "https://other.example"}
    assert issuers["https://login.example"].tenant == "acme"


def test_there_are_no_issuers_by_default() -> None:
    assert read_issuers({}) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[issuers", "cannot be read"),
        ("[issuers]\na = 1", "write [[issuers]]"),
        ("[[issuer]]", "unknown table 'issuer'"),
        ("issuers = [1]", "issuer 1: must be a table"),
        (COMPLETE + "audiences = ''", "unknown field 'audiences'"),
        (COMPLETE.replace('"parley"', "1"), "audience must be a string"),
        (COMPLETE.replace('tenant = "acme"', ""), "tenant is missing"),
        (COMPLETE.replace("acme", "a b"), "tenant must be"),
        (COMPLETE + "key = 'x'", "set either jwks_url or key"),
        (COMPLETE.replace("https://login.example/j", "ftp://j"), "not an http(s) URL"),
        (COMPLETE + COMPLETE, "two issuers"),
    ],
)
def test_wrong_file_is_reported(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text)
    assert message in raised.value.message
    assert raised.value.message.startswith("CHAT_AUTH_FILE: ")


def test_missing_file_is_reported() -> None:
    with pytest.raises(ConfigError, match="CHAT_AUTH_FILE: /nowhere cannot be read"):
        read_issuers({"CHAT_AUTH_FILE": "/nowhere"})
