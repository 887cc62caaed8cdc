"""Models in a TOML file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chat.domain import Model
from chat.domain.errors import ConfigError
from chat.domain.prices import Price
from chat.llm_config import default_model, read_models
from chat.providers.registry import provider_for
from project.runner.process import ROOT

COMPLETE = "[default]\nprovider = 'openai'\nurl = 'http://x'\nmodel = 'm'\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "models.toml"


def read(file: Path, text: str, **environ: str) -> dict[str, Model]:
    file.write_text(text)
    return read_models({"CHAT_MODELS_FILE": str(file), **environ})


@pytest.mark.case("C25")
def test_file_with_a_byte_order_mark_is_read(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + COMPLETE.replace("'m'", "'é'").encode())
    assert read_models({"CHAT_MODELS_FILE": str(file)})["default"].model == "é"


@pytest.mark.case("C25")
def test_first_model_is_the_default(file: Path) -> None:
    text = COMPLETE.replace("default", "zebra") + COMPLETE.replace("default", "ant")
    models = read(file, text)
    assert default_model(models, {}) == "zebra"
    assert default_model(models, {"CHAT_DEFAULT_MODEL": "ant"}) == "ant"
    assert default_model(read(file, text + COMPLETE), {}) == "default"
    with pytest.raises(ConfigError, match="CHAT_DEFAULT_MODEL: 'bee'"):
        read(file, text, CHAT_DEFAULT_MODEL="bee")
    with pytest.raises(ConfigError, match="contains no model"):
        read(file, "")


@pytest.mark.case("C25")
def test_settings_use_the_first_model(file: Path) -> None:
    file.write_text(COMPLETE.replace("default", "zebra"))
    code = "from django.conf import settings; print(settings.CHAT_DEFAULT_MODEL)"
    environ = {name: text for name, text in os.environ.items() if not name.startswith("CHAT_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environ | {"CHAT_MODELS_FILE": str(file)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "zebra\n"


@pytest.mark.case("C14")
def test_headers_take_values_from_the_environment(file: Path) -> None:
    text = COMPLETE + "headers = { api-key = '${KEY}', X-App = 'a ${KEY} ${OTHER}', Y = '$x' }"
    model = read(file, text, KEY="canary", OTHER="o")["default"]
    assert model.headers == {"api-key": "canary", "X-App": "a canary o", "Y": "$x"}
    assert "canary" not in repr(model)


@pytest.mark.case("C14")
@pytest.mark.security("S39")
@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ("{ a = '${NONE}' }", "headers name the variable NONE, which is not set"),
        ("{ a = 5 }", "headers must be a table of strings"),
        ("'canary'", "headers must be a table of strings"),
        ('{ a = "canary\\nb: c" }', "headers: a must be ASCII"),
        ("{ a = 'canaré' }", "headers: a must be ASCII"),
        ("{ a = '' }", "headers: a must be ASCII"),
        ("{ 'a b' = 'canary' }", "headers must not contain 'a b'"),
        ("{ Content-Length = '1' }", "headers must not contain 'Content-Length'"),
        ("{ transfer-encoding = 'x' }", "headers must not contain 'transfer-encoding'"),
    ],
)
def test_invalid_header_is_named_without_its_value(file: Path, headers: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        provider_for(read(file, f"{COMPLETE}headers = {headers}")["default"])
    assert "canar" not in str(caught.value)


def test_token_of_a_wrong_type_is_not_repeated(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"invalid token$"):
        read(file, f"{COMPLETE}token = 12345")


@pytest.mark.case("C12")
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("system_role = 'assistant'", "invalid system_role: 'assistant'"),
        ("system_role = true", "invalid system_role"),
        ("reasoning = 'show'", "invalid reasoning: 'show'; it must be 'keep' or 'drop'$"),
        ("think_tags = 'yes'", "invalid think_tags: 'yes'"),
        ("think_tags = 1", "invalid think_tags: 1"),
        ("drop_options = ['messages']", "drop_options must not contain 'messages', only max_"),
        ("drop_options = 'seed'", "invalid drop_options: 'seed'"),
        ("drop_options = [1]", "invalid drop_options"),
        ("timeouts = { without_text = 0 }", "invalid without_text"),
        ("timeouts = { first_delta = 3 }", "unknown field 'first_delta'; it is now 'first_event'$"),
        ("timeouts = { between_deltas = 3 }", "'between_deltas'; it is now 'between_events'$"),
        ("first_delta = 3", "unknown field 'first_delta'$"),
    ],
)
def test_invalid_field_is_named(file: Path, line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        provider_for(read(file, COMPLETE + line)["default"])


@pytest.mark.parametrize("provider", ["completions", "huggingface"])
def test_system_role_requires_roles(file: Path, provider: str) -> None:
    text = COMPLETE.replace("openai", provider) + "system_role = 'user'"
    with pytest.raises(ConfigError, match="system_role requires a format with roles"):
        provider_for(read(file, text)["default"])


def test_prices_become_micro_units(file: Path) -> None:
    text = COMPLETE + "price = { input = 0.15, cached_input = 0.0000001, output = 10 }"
    price = read(file, text)["default"].price
    assert price == Price(input=150_000, cached_input=1, output=10_000_000)
    default = read(file, COMPLETE + "price = { input = 0.15, output = 0 }")["default"].price
    assert default == Price(input=150_000, cached_input=150_000, output=0)
    assert read(file, COMPLETE)["default"].price is None
    assert read_models({"MODEL_PRICE": "0.4, 0.1, 1.6"})["default"].price == Price(
        input=400_000, cached_input=100_000, output=1_600_000
    )


@pytest.mark.parametrize(
    ("price", "message"),
    [
        ("1.5", "price must be a table with input and output"),
        ("{ input = 1 }", "price must be a table with input and output"),
        ("{ input = 1, output = -1 }", "price: invalid output: -1"),
        ("{ input = true, output = 1 }", "price: invalid input: True"),
        ("{ input = inf, output = 1 }", "price: invalid input: inf"),
        ("{ input = '1', output = 1 }", "price: invalid input: '1'"),
        ("{ input = 1, output = 1, cache = 1 }", "price: unknown field 'cache'"),
    ],
)
def test_invalid_price_is_rejected(file: Path, price: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"model default: {message}"):
        read(file, COMPLETE + f"price = {price}")


@pytest.mark.parametrize("text", ["1", "1,2", "1,2,x", "1,2,3,4", "1,2,-3"])
def test_invalid_price_variable_is_rejected(text: str) -> None:
    with pytest.raises(ConfigError, match=r"price|MODEL_PRICE"):
        read_models({"MODEL_PRICE": text})


@pytest.mark.case("C29")
@pytest.mark.parametrize(
    ("lines", "max_tokens"),
    [
        ("", 4096),
        ("context_tokens = 128000", 4096),
        ("context_tokens = 4096", 2048),
        ("context_tokens = 1025", 512),
        ("context_tokens = 4096\nmax_tokens = 4000", 4000),
    ],
)
def test_default_max_tokens_leaves_room_for_the_prompt(
    file: Path, lines: str, max_tokens: int
) -> None:
    assert read(file, COMPLETE + lines)["default"].max_tokens == max_tokens


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("inputs = ['audio']", "inputs must be text and some of"),
        ("inputs = ['image']", "inputs must be text and some of"),
        ("inputs = 'image'", "invalid inputs"),
        ("image_urls = 1", "invalid image_urls"),
    ],
)
def test_invalid_inputs_are_reported(file: Path, line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(file, f"{COMPLETE}{line}")


def test_inputs_of_text_formats_are_text() -> None:
    with pytest.raises(ConfigError, match="has text inputs only"):
        read_models({"MODEL_INPUTS": "text,image", "MODEL_PROVIDER": "completions"})
    assert read_models({"MODEL_INPUTS": "text, image"})["default"].inputs == ("text", "image")
