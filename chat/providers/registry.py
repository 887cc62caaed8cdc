"""From a model of the settings to its provider: one instance a process, made when asked for."""

import threading

from django.utils.module_loading import import_string

from chat.domain import Model
from chat.domain.errors import ConfigError
from chat.providers.base import Provider

ALIASES = {
    "huggingface": "chat.providers.huggingface.HuggingFace",
    "openai": "chat.providers.openai.OpenAI",
    "completions": "chat.providers.completions.Completions",
}

_lock = threading.Lock()
_providers: dict[str, Provider] = {}


def provider_for(model: Model) -> Provider:
    """Return the model's provider; its pooled connections are shared by all threads.

    Raises:
        ConfigError: `provider` names none, or it refuses the model's other fields.
    """
    provider = _providers.get(model.name)
    if provider is None or provider.model != model:
        with _lock:
            provider = _providers.get(model.name)
            if provider is None or provider.model != model:
                provider = _providers[model.name] = _create(model)
    return provider


def _create(model: Model) -> Provider:
    path = ALIASES.get(model.provider, model.provider)
    try:
        kind = import_string(path)
    except (ImportError, ValueError) as error:  # "." is no name at all
        known = ", ".join(ALIASES)
        raise ConfigError(
            f"model {model.name}: provider {model.provider!r} is neither {known} nor a class's path"
        ) from error
    if not isinstance(kind, type) or not issubclass(kind, Provider):
        raise ConfigError(f"model {model.name}: provider {model.provider!r} is not a Provider")
    return kind(model)
