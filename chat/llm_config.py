"""Read the configured models from a TOML file or from environment variables."""

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from chat.domain import Model, Timeouts
from chat.domain.errors import ConfigError
from chat.domain.policy import option_problem
from chat.domain.prices import Price
from chat.env_parsers import is_in_range, parse_list
from chat.settings import PREFIX, ChatSettings

T = TypeVar("T")

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# Fields that TOML writes as lists.
_TUPLES = ("stop", "drop_options", "inputs")
_INPUTS = ["text", "image", "file"]
# Formats that have only text.
_TEXT_FORMATS = {"completions", "huggingface"}
# Former names of fields, and the names that replaced them.
_RENAMED = {"first_delta": "first_event", "between_deltas": "between_events"}
# Amounts of a price, in currency units per million tokens.
_PRICE_FIELDS = ("input", "cached_input", "output")
# Fields that error messages must not repeat.
_SECRETS = {"token", "headers"}


def read_models(environ: Mapping[str, str]) -> dict[str, Model]:
    """Return the models of `CHAT_MODELS_FILE`, or the one that `MODEL_*` describe, by name.

    Raises:
        ConfigError: the file cannot be read, a field is unknown, has the wrong type or is out of
            range, or `CHAT_DEFAULT_MODEL` names no model.
    """
    if path := environ.get("CHAT_MODELS_FILE"):
        entries = _read_toml(Path(path))
    else:
        entries = {"default": _model_from_variables(environ)}
    if not entries:
        raise ConfigError(f"CHAT_MODELS_FILE: {path} contains no model")
    models = {name: _model(name, entry, environ) for name, entry in entries.items()}
    for model in models.values():
        _check_fallbacks(model, models)
    default = default_model(models, environ)
    if default not in models:
        known = ", ".join(models)
        raise ConfigError(f"{PREFIX}DEFAULT_MODEL: {default!r} is not among the models: {known}")
    return models


def default_model(models: Mapping[str, Model], environ: Mapping[str, str]) -> str:
    """Return `CHAT_DEFAULT_MODEL`, else the model `default`, else the first model."""
    if name := environ.get(f"{PREFIX}DEFAULT_MODEL"):
        return name
    return (
        ChatSettings.DEFAULT_MODEL if ChatSettings.DEFAULT_MODEL in models else next(iter(models))
    )


def _check_fallbacks(model: Model, models: Mapping[str, Model]) -> None:
    """Follow the model's fallbacks to the last one.

    Raises:
        ConfigError: the chain of fallbacks has an unknown model or a cycle.
    """
    seen = [model.name]
    while model.fallback:
        if model.fallback not in models:
            raise ConfigError(f"model {model.name}: fallback {model.fallback!r} is not a model")
        if model.fallback in seen:
            raise ConfigError(f"model {model.name}: fallback {model.fallback!r} creates a cycle")
        model = models[model.fallback]
        seen.append(model.name)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # editors on Windows add a BOM
    except (OSError, ValueError) as error:
        raise ConfigError(f"CHAT_MODELS_FILE: {path} cannot be read: {error}") from error


def _model_from_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    token = environ.get("MODEL_TOKEN") or environ.get("HUGGINGFACE_INFERENCE_TOKEN", "")
    price = environ.get("MODEL_PRICE")
    return {
        **({"price": _price_from_variable(price)} if price else {}),
        "inputs": tuple(parse_list(environ.get("MODEL_INPUTS") or "text")),
        "provider": environ.get("MODEL_PROVIDER") or "openai",
        "url": environ.get("MODEL_URL") or "http://127.0.0.1:8001/v1",
        "model": environ.get("MODEL_NAME") or "fake-model",
        "token": token,
    }


def _price_from_variable(text: str) -> dict[str, float]:
    try:
        return dict(zip(_PRICE_FIELDS, map(float, text.split(",")), strict=True))
    except ValueError as error:
        raise ConfigError(
            f"MODEL_PRICE: {text!r} is not a list of three amounts: input, cached input, output"
        ) from error


def _model(name: str, entry: object, environ: Mapping[str, str]) -> Model:
    if not isinstance(entry, dict):
        raise ConfigError(f"model {name}: must be a table")
    fields = dict(entry)
    if variable := fields.pop("token_env", ""):
        fields["token"] = _token(name, str(variable), environ)
    if "headers" in fields:
        fields["headers"] = _expand_headers(name, fields["headers"], environ)
    fields["timeouts"] = _timeouts(name, fields.get("timeouts", {}))
    fields["price"] = _price(name, fields["price"]) if "price" in fields else None
    for field in _TUPLES:
        if isinstance(fields.get(field), list):
            fields[field] = tuple(fields[field])
    model = _build(Model, name, {**fields, "name": name})
    if "max_tokens" not in fields:
        # This leaves at least half of the context window to the prompt.
        limit = max(1, model.context_tokens // 2)
        model = dataclasses.replace(model, max_tokens=min(model.max_tokens, limit))
    _check_model(model)
    return model


def _check_model(model: Model) -> None:
    if problem := option_problem(model.client_options or {}):
        raise ConfigError(f"model {model.name}: client_options: {problem}")
    if not set(model.inputs) <= set(_INPUTS) or "text" not in model.inputs:
        raise ConfigError(f"model {model.name}: inputs must be text and some of {_INPUTS[1:]}")
    if len(model.inputs) > 1 and model.provider in _TEXT_FORMATS:
        raise ConfigError(f"model {model.name}: the format {model.provider} has text inputs only")
    if model.context_tokens <= model.max_tokens:
        raise ConfigError(f"model {model.name}: context_tokens must be larger than max_tokens")


def _token(model: str, variable: str, environ: Mapping[str, str]) -> str:
    if token := environ.get(variable):
        return token
    raise ConfigError(f"model {model}: token_env names the variable {variable}, which is not set")


def _timeouts(model: str, fields: object) -> Timeouts:
    if not isinstance(fields, dict):
        raise ConfigError(f"model {model}: timeouts: must be a table")
    return _build(Timeouts, f"{model}: timeouts", fields)


def _price(model: str, amounts: object) -> Price:
    """Return the price with amounts in micro-units.

    Raises:
        ConfigError: an amount is missing, unknown, negative or not a number.
    """
    if not isinstance(amounts, dict) or not {"input", "output"} <= amounts.keys():
        raise ConfigError(f"model {model}: price must be a table with input and output")
    for name, amount in amounts.items():
        if name not in _PRICE_FIELDS:
            raise ConfigError(f"model {model}: price: unknown field {name!r}")
        if not _is_instance(amount, float) or not 0 <= amount < float("inf"):
            raise ConfigError(f"model {model}: price: invalid {name}: {amount!r}")
    return Price.from_amounts(amounts)


def _expand_headers(model: str, headers: object, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with the values of the variables that they name as `${NAME}`.

    Raises:
        ConfigError: a value is not a string, or its variable is not set.
    """
    if not isinstance(headers, dict) or not all(
        isinstance(value, str) for value in headers.values()
    ):
        raise ConfigError(f"model {model}: headers must be a table of strings")

    def value_of(match: re.Match[str]) -> str:
        if value := environ.get(match[1]):
            return value
        raise ConfigError(f"model {model}: headers name the variable {match[1]}, which is not set")

    return {name: _VARIABLE.sub(value_of, value) for name, value in headers.items()}


def _build(cls: type[T], model: str, fields: Mapping[str, Any]) -> T:
    """Create a dataclass after checking the types and ranges of its fields."""
    known = get_type_hints(cls)
    ranges = get_type_hints(cls, include_extras=True)
    for field, value in fields.items():
        if field not in known:
            hint = f"; it is now {_RENAMED[field]!r}" if _RENAMED.get(field) in known else ""
            raise ConfigError(f"model {model}: unknown field {field!r}{hint}")
        is_valid = _is_instance(value, known[field]) and is_in_range(value, ranges[field])
        if not is_valid or (isinstance(value, tuple) and not _are_strings(value)):
            shown = "" if field in _SECRETS else f": {value!r}"
            raise ConfigError(f"model {model}: invalid {field}{shown}{_choices(known[field])}")
    if missing := [field for field in _required(cls) if not fields.get(field)]:
        raise ConfigError(f"model {model}: {missing[0]} is missing")
    return cls(**fields)


def _choices(hint: Any) -> str:
    """Return what to write instead, if a field has only a few values."""
    if get_origin(hint) is not Literal:
        return ""
    return "; it must be " + " or ".join(map(repr, get_args(hint)))


def _are_strings(values: tuple[object, ...]) -> bool:
    return all(isinstance(value, str) and value for value in values)


def _required(cls: type) -> list[str]:
    missing = dataclasses.MISSING
    fields = dataclasses.fields(cls)
    return [f.name for f in fields if f.default is missing and f.default_factory is missing]


def _is_instance(value: object, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        return any(_is_instance(value, part) for part in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    expected = origin or hint
    if isinstance(value, bool):
        return expected is bool
    return isinstance(value, expected) or (expected is float and isinstance(value, int))
