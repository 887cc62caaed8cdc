"""The models that sessions may name."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from chat.domain import Model
from chat.domain.errors import UnknownModel
from chat.providers.registry import provider_for
from chat.settings import chat_settings


def all_models() -> Mapping[str, Model]:
    """Return the models of the settings by name."""
    models: Mapping[str, Model] = settings.CHAT_MODELS
    return models


def check() -> None:
    """Make each model's provider, which refuses what it cannot do.

    Raises:
        ConfigError: a model of the settings cannot be called; its name is given.
    """
    for model in all_models().values():
        provider_for(model)


def named(name: str) -> Model:
    """Return the model of this name.

    Raises:
        UnknownModel: the settings have none.
    """
    try:
        return all_models()[name]
    except KeyError:
        raise UnknownModel(param="model") from None


def name_or_default(name: str | None) -> str:
    """Return the model's name; that of the default model without one.

    Raises:
        UnknownModel: the settings have no model of this name.
    """
    return named(name or chat_settings.DEFAULT_MODEL).name


def described() -> list[dict[str, Any]]:
    """Return what clients may know of each model: neither whom it is asked of, nor as whom."""
    return [
        {
            "name": model.name,
            "is_default": model.name == chat_settings.DEFAULT_MODEL,
            "context_tokens": model.context_tokens,
            "max_tokens": model.max_tokens,
            "streams": model.stream,
        }
        for model in all_models().values()
    ]
