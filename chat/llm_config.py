"""Read the configured models from a TOML file or from environment variables."""

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from chat.domain import Model, Timeouts
from chat.domain.errors import ConfigError
from chat.env_parsers import is_in_range
from chat.settings import PREFIX, ChatSettings

T = TypeVar("T")


def read_models(environ: Mapping[str, str]) -> dict[str, Model]:
    """Return the models of `CHAT_MODELS_FILE`, or the one that `MODEL_*` describe, by name.

    Raises:
        ConfigError: the file cannot be read, a field is unknown, has the wrong type or is out of
            range, or the default model does not exist.
    """
    if path := environ.get("CHAT_MODELS_FILE"):
        entries = _read_toml(Path(path))
    else:
        entries = {"default": _model_from_variables(environ)}
    models = {name: _model(name, entry, environ) for name, entry in entries.items()}
    for model in models.values():
        _check_fallbacks(model, models)
    default = environ.get(f"{PREFIX}DEFAULT_MODEL") or ChatSettings.DEFAULT_MODEL
    if default not in models:
        known = ", ".join(models) or "none"
        raise ConfigError(f"{PREFIX}DEFAULT_MODEL: {default!r} is not among the models: {known}")
    return models


def _check_fallbacks(model: Model, models: Mapping[str, Model]) -> None:
    """
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
        return tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"CHAT_MODELS_FILE: {path} cannot be read: {error}") from error


def _model_from_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    token = environ.get("MODEL_TOKEN") or environ.get("HUGGINGFACE_INFERENCE_TOKEN", "")
    return {
        "provider": environ.get("MODEL_PROVIDER") or "openai",
        "url": environ.get("MODEL_URL") or "http://127.0.0.1:8001/v1",
        "model": environ.get("MODEL_NAME") or "fake-model",
        "token": token,
    }


def _model(name: str, entry: object, environ: Mapping[str, str]) -> Model:
    if not isinstance(entry, dict):
        raise ConfigError(f"model {name}: must be a table")
    fields = dict(entry)
    if variable := fields.pop("token_env", ""):
        fields["token"] = environ.get(str(variable), "")
        if not fields["token"]:
            raise ConfigError(
                f"model {name}: token_env names the variable {variable}, which is not set"
            )
    timeouts = fields.pop("timeouts", {})
    if isinstance(fields.get("stop"), list):
        fields["stop"] = tuple(fields["stop"])
    if not isinstance(timeouts, dict):
        raise ConfigError(f"model {name}: timeouts: must be a table")
    model = _build(
        Model,
        name,
        {**fields, "name": name, "timeouts": _build(Timeouts, f"{name}: timeouts", timeouts)},
    )
    if model.context_tokens <= model.max_tokens:
        raise ConfigError(f"model {name}: context_tokens must be larger than max_tokens")
    return model


def _build(cls: type[T], model: str, fields: Mapping[str, Any]) -> T:
    """Create a dataclass after checking the types and ranges of its fields."""
    known = get_type_hints(cls)
    ranges = get_type_hints(cls, include_extras=True)
    for field, value in fields.items():
        if field not in known:
            raise ConfigError(f"model {model}: unknown field {field!r}")
        is_valid = _is_instance(value, known[field]) and is_in_range(value, ranges[field])
        if not is_valid or (isinstance(value, tuple) and not _are_strings(value)):
            raise ConfigError(f"model {model}: invalid {field}: {value!r}")
    if missing := [field for field in _required(cls) if not fields.get(field)]:
        raise ConfigError(f"model {model}: {missing[0]} is missing")
    return cls(**fields)


def _are_strings(values: tuple[object, ...]) -> bool:
    return all(isinstance(value, str) and value for value in values)


def _required(cls: type) -> list[str]:
    missing = dataclasses.MISSING
    fields = dataclasses.fields(cls)
    return [f.name for f in fields if f.default is missing and f.default_factory is missing]


def _is_instance(value: object, hint: Any) -> bool:
    types = tuple(get_origin(part) or part for part in get_args(hint)) or (hint,)
    if get_origin(hint) not in {None, UnionType}:
        types = (get_origin(hint),)
    if isinstance(value, bool):
        return bool in types
    return isinstance(value, types) or (float in types and isinstance(value, int))
