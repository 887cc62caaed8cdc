"""The configured models."""

import logging
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from chat import broker
from chat.domain import Model
from chat.domain.errors import UnknownModel
from chat.providers.registry import provider_for
from chat.settings import chat_settings
from chat.store import limiter

logger = logging.getLogger(__name__)


def all_models() -> Mapping[str, Model]:
    """Return the configured models by name."""
    models: Mapping[str, Model] = settings.CHAT_MODELS
    return models


def check() -> None:
    """Create each model's provider, which validates its configuration.

    Raises:
        ConfigError: a model cannot be called; the message names it.
    """
    for model in all_models().values():
        provider_for(model)


def get(name: str) -> Model:
    """Return the model of this name.

    Raises:
        UnknownModel: it is not configured.
    """
    try:
        return all_models()[name]
    except KeyError:
        raise UnknownModel(param="model") from None


def name_or_default(name: str | None) -> str:
    """Return the name if there is such a model; without a name, the default model's.

    Raises:
        UnknownModel: it is not configured.
    """
    return get(name or chat_settings.DEFAULT_MODEL).name


def max_context_tokens() -> int:
    """Return the tokens of the longest prompt that a configured model takes."""
    return max(model.context_tokens for model in all_models().values())


def unblock(name: str) -> None:
    """Allow calls to a model at once: end its Retry-After and close its circuit.

    Raises:
        UnknownModel: it is not configured.
        StoreUnavailable: Redis did not answer.
    """
    for session_id in limiter.unblock(get(name)):
        broker.wake_session(session_id)
    logger.info("Unblocked the model %s", name)


def describe(model: Model) -> dict[str, Any]:
    """Return what clients may know about a model: no URL and no credentials."""
    return {
        "name": model.name,
        "is_default": model.name == chat_settings.DEFAULT_MODEL,
        "context_tokens": model.context_tokens,
        "max_tokens": model.max_tokens,
        "streams": model.stream,
        "inputs": model.inputs,
    }
