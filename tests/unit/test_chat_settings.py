"""Settings and models are read at start, and wrong values are reported."""

import re
from pathlib import Path

import pytest
from pytest_django import Settings

from chat.domain.errors import ConfigError
from chat.env_parsers import parse_form_origins, parse_origins
from chat.llm_config import read_models
from chat.settings import ChatSettings, chat_settings
from chat.settings_from_env import from_env
from project.runner.process import ROOT

EXAMPLE = (ROOT / ".env.example").read_text()


def test_setting_is_parsed_as_its_type() -> None:
    assert from_env({"CHAT_PARTITIONS": "4", "CHAT_LEASE_TTL": "3.5"}) == {
        "CHAT_PARTITIONS": 4,
        "CHAT_LEASE_TTL": 3.5,
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CHAT_PARTITIONS", "many"),
        ("CHAT_PARTITIONS", "-1"),
        ("CHAT_LEASE_TTL", "inf"),
        ("CHAT_LEASE_TTL", "nan"),
        ("CHAT_LEESE", "3"),
        ("CHAT_WEBHOOK_URL", "https://example.org/"),
        ("CHAT_WEBHOOK_SECRETS", "whsec_c2hvcnQ="),
        ("CHAT_WEBHOOK_SECRETS", "whsec_no base 64"),
        ("CHAT_WEBHOOK_SECRETS", "A" * 32),
        ("CHAT_TUTORIAL", "ture"),
        ("CHAT_LEASE_TTL", "2.9"),
        ("CHAT_LEASE_RENEWAL_INTERVAL", "3.4"),
        ("CHAT_BROKER_QUEUE_TYPE", "stream"),
        ("CHAT_STORE_ADDRESSES", "hash"),
        ("CHAT_TRUSTED_PROXIES", "1"),
        ("CHAT_TRUSTED_PROXIES", "10.0.0.0/8, 2"),
        ("CHAT_TRUSTED_PROXIES", "proxy.example.org"),
        ("CHAT_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("CHAT_TRUSTED_PROXIES", "::/0"),
        ("CHAT_SOCKET_ORIGINS", "missing, https://chat.example.org/"),
    ],
)
def test_wrong_setting_is_reported(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=name):
        from_env({name: text})


def test_error_of_socket_origins_names_the_word_that_is_allowed() -> None:
    with pytest.raises(ConfigError, match=r"'none' is not an origin such as .*, or `missing`$"):
        from_env({"CHAT_SOCKET_ORIGINS": "none"})


def test_all_wrong_names_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        from_env({"CHAT_LEASE": "3", "CHAT_LEESE": "3", "CHAT_SWEEP": "1"})
    assert str(raised.value) == (
        "CHAT_LEASE was renamed: set CHAT_LEASE_TTL instead; CHAT_LEESE: unknown setting;"
        " CHAT_SWEEP was renamed: set CHAT_SWEEP_INTERVAL instead"
    )


def test_replica_timeout_is_below_half_the_store_timeout() -> None:
    slow = {"CHAT_REPLICAS": "1", "CHAT_REPLICA_TIMEOUT": "1"}
    with pytest.raises(ConfigError, match="CHAT_REPLICA_TIMEOUT: 1 s"):
        from_env(slow)
    assert from_env(slow | {"CHAT_STORE_TIMEOUT": "3"})["CHAT_REPLICA_TIMEOUT"] == 1


@pytest.mark.parametrize(
    "text", ["foo", "*", "https://a.org/", "https://a.org/page", "https://A.org", "a.org", "none"]
)
def test_invalid_origin_is_rejected(text: str) -> None:
    with pytest.raises(ConfigError, match=f"CORS_ORIGINS: '{re.escape(text)}'"):
        parse_origins("CORS_ORIGINS", f"https://b.org,{text}")


def test_origins_may_be_separated_by_spaces() -> None:
    listed = "https://a.org, http://localhost:3000 ,null,capacitor://localhost"
    expected = ["https://a.org", "http://localhost:3000", "null", "capacitor://localhost"]
    assert parse_origins("CORS_ORIGINS", listed) == expected


@pytest.mark.case("C31")
def test_form_origins_have_a_scheme_and_may_have_a_wildcard() -> None:
    listed = "https://a.org:8443, http://localhost:8000,https://*.a.org"
    expected = ["https://a.org:8443", "http://localhost:8000", "https://*.a.org"]
    assert parse_form_origins("CSRF_TRUSTED_ORIGINS", listed) == expected


@pytest.mark.case("C31")
@pytest.mark.parametrize("text", ["a.org", "*", "https://*", "https://a.org/", "null", "app://a"])
def test_invalid_form_origin_is_rejected(text: str) -> None:
    with pytest.raises(ConfigError, match=f"CSRF_TRUSTED_ORIGINS: '{re.escape(text)}' is not"):
        parse_form_origins("CSRF_TRUSTED_ORIGINS", f"https://b.org,{text}")


def test_webhook_requires_a_url_and_a_secret() -> None:
    expected = {"CHAT_WEBHOOK_SECRETS": "whsec_" + "A" * 32, "CHAT_WEBHOOK_URL": "https://a.org/x"}
    assert from_env(expected) == expected
    with pytest.raises(ConfigError, match="CHAT_WEBHOOK_URL"):
        from_env(expected | {"CHAT_WEBHOOK_URL": "a.org/x"})


@pytest.mark.parametrize("name", sorted(ChatSettings.__annotations__))
def test_zero_is_accepted_where_the_example_explains_it(name: str) -> None:
    if isinstance(getattr(ChatSettings, name), str | bool):
        return
    explained = re.search(rf"((?:^# .*\n)+)#CHAT_{name}=", EXAMPLE, re.MULTILINE)
    assert explained
    if re.search(r"\b0\s(?:# )?[a-z]", explained[1]):
        assert from_env({f"CHAT_{name}": "0"}) == {f"CHAT_{name}": 0}
    else:
        with pytest.raises(ConfigError, match=f"CHAT_{name}: '0' is out of range"):
            from_env({f"CHAT_{name}": "0"})


def test_setting_follows_django_settings(settings: Settings) -> None:
    assert chat_settings.MAX_QUEUED_TURNS_PER_SESSION == 20
    settings.CHAT_MAX_QUEUED_TURNS_PER_SESSION = 3
    assert chat_settings.MAX_QUEUED_TURNS_PER_SESSION == 3


def test_one_model_is_read_from_variables() -> None:
    models = read_models({"MODEL_URL": "http://127.0.0.1:1/v1", "MODEL_NAME": "tiny"})
    assert models["default"].url == "http://127.0.0.1:1/v1"
    assert models["default"].model == "tiny"


def test_token_variable_of_the_tutorial_is_accepted() -> None:
    assert read_models({"HUGGINGFACE_INFERENCE_TOKEN": "hf_1"})["default"].token == "hf_1"


def test_models_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(
        """
        [default]
        provider = "openai"
        url = "https://example.org/v1"
        token_env = "KEY"
        fallback = "small"
        stop = ["END"]
        timeouts = { total = 20, connect = 1.5 }
        [small]
        provider = "completions"
        url = "https://example.org/v1"
        """
    )
    models = read_models({"CHAT_MODELS_FILE": str(file), "KEY": "secret"})
    assert models["default"].token == "secret"
    assert models["default"].timeouts.total == 20
    assert models["default"].stop == ("END",)
    assert models["small"].name == "small"
    assert "secret" not in repr(models)


COMPLETE = "[default]\nprovider = 'openai'\nurl = 'http://x'\n"


def test_zero_disables_a_models_limits(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(f"{COMPLETE}concurrency = 0\nrequests_per_minute = 0\ntokens_per_minute = 0")
    assert read_models({"CHAT_MODELS_FILE": str(file)})["default"].concurrency == 0


def test_default_model_must_exist(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(COMPLETE.replace("default", "small"))
    environ = {"CHAT_MODELS_FILE": str(file), "CHAT_DEFAULT_MODEL": "small"}
    assert list(read_models(environ)) == ["small"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[a]\nprovider = 'openai'\nurl = 'http://x'\nmodle = 'x'", "modle"),
        ("[a]\nprovider = 'openai'\nurl = 'http://x'\nmax_tokens = 'x'", "max_tokens"),
        ("[a]\nprovider = 'openai'", "url"),
        ("[a]\nprovider = 'openai'\nurl = 'http://x'\nfallback = 'b'", "fallback"),
        ("[a]\nprovider = 'openai'\nurl = 'http://x'\nfallback = 'a'", "fallback"),
        ("[a]\nprovider = 'openai'\nurl = 'http://x'\ntoken_env = 'NONE'", "NONE"),
        ("[a]\nprovider = 'openai'\nurl = 'http://x'\ntimeouts = { total = 'x' }", "total"),
        (f"{COMPLETE}max_tokens = -5", "max_tokens"),
        (f"{COMPLETE}max_tokens = 0", "max_tokens"),
        (f"{COMPLETE}context_tokens = 10\nmax_tokens = 10", "context_tokens"),
        (f"{COMPLETE}pool_size = 0", "pool_size"),
        (f"{COMPLETE}requests_per_minute = -3", "requests_per_minute"),
        (f"{COMPLETE}timeouts = {{ connect = -1 }}", "connect"),
        (f"{COMPLETE}timeouts = {{ total = inf }}", "total"),
        (f"{COMPLETE}timeouts = 3", "timeouts"),
        (f"{COMPLETE}timeouts = {{ first = 3 }}", "timeouts: .*'first'"),
        (f"{COMPLETE}stop = [1]", "stop"),
        (f"{COMPLETE}stop = ['']", "stop"),
        ("a = 1", "a"),
        ("[a", "CHAT_MODELS_FILE"),
    ],
)
def test_wrong_model_is_reported(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "models.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=named):
        read_models({"CHAT_MODELS_FILE": str(file)})
