from concurrent.futures import ThreadPoolExecutor

import pytest

from chat.domain.errors import ConfigError
from chat.providers.completions import Completions
from chat.providers.huggingface import HuggingFace
from chat.providers.openai import OpenAI
from chat.providers.registry import provider_for
from tests.unit.providers.models import model


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("huggingface", HuggingFace),
        ("openai", OpenAI),
        ("completions", Completions),
        ("chat.providers.openai.OpenAI", OpenAI),
    ],
)
def test_provider_is_found_by_alias_or_path(name: str, kind: type) -> None:
    assert type(provider_for(model(name=name, provider=name))) is kind


def test_openai_requires_the_vendors_model_name() -> None:
    with pytest.raises(ConfigError, match="model nameless: model is missing"):
        provider_for(model(name="nameless", model=""))


def test_reserved_parameters_are_rejected() -> None:
    with pytest.raises(ConfigError, match="model m: parameters must not contain 'inputs'"):
        provider_for(model(name="m", provider="huggingface", parameters={"inputs": "x"}))


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "https://127.0.0.1:9/v1"])
def test_missing_certificates_are_reported_at_once(url: str) -> None:
    with pytest.raises(ConfigError, match="model untrusted: verify '/no/such'"):
        provider_for(model(name="untrusted", url=url, verify="/no/such"))


def test_threads_share_a_models_provider() -> None:
    shared = model(name="shared")
    with ThreadPoolExecutor(16) as threads:
        found = set(threads.map(lambda _: provider_for(shared), range(64)))
    assert len(found) == 1


def test_changed_model_gets_a_new_provider() -> None:
    before = provider_for(model(name="changing"))
    after = provider_for(model(name="changing", max_tokens=5))
    assert before is not after
    assert after.model.max_tokens == 5
    assert provider_for(model(name="changing", max_tokens=5)) is after


@pytest.mark.parametrize(
    "name", ["opanai", "chat.providers.openai.Nothing", "no.such.module", "json.loads", "", "."]
)
def test_wrong_provider_is_reported(name: str) -> None:
    with pytest.raises(ConfigError, match=f"model wrong: provider '{name}' is"):
        provider_for(model(name="wrong", provider=name))


@pytest.mark.parametrize("provider", ["huggingface", "openai", "completions"])
@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com/v1",
        "ftp://host/v1",
        "http://",
        "http:///v1",
        "file:///etc/passwd",
        "http://[::1",
        "http://host:99999",
        "http://host:port/v1",
        "http://ho st/v1",
        "http://*.host/v1",
        "http://model..host/v1",
        "http://" + "m" * 64 + ".host/v1",
    ],
)
def test_url_that_is_not_http_is_rejected(provider: str, url: str) -> None:
    with pytest.raises(ConfigError, match="model wrong: url"):
        provider_for(model(name="wrong", provider=provider, url=url))


@pytest.mark.security("S39")
def test_password_in_the_url_is_rejected_and_not_quoted() -> None:
    with pytest.raises(ConfigError) as caught:
        provider_for(model(name="wrong", url="https://me:canary@host/v1"))
    assert "canary" not in str(caught.value)


@pytest.mark.security("S39")
@pytest.mark.parametrize("token", ["a b", "canary\n", "canary\r\nX-Evil: 1", "c\u00e4nary"])
def test_invalid_token_is_rejected_and_not_quoted(token: str) -> None:
    with pytest.raises(ConfigError, match="model wrong: token") as caught:
        provider_for(model(name="wrong", token=token))
    assert token not in str(caught.value)


def test_missing_certificates_are_rejected() -> None:
    with pytest.raises(ConfigError, match="model wrong: verify"):
        provider_for(model(name="wrong", url="https://host/v1", verify="/no/such/file.pem"))
