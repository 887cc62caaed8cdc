"""The provider of each configured model: one instance per process, created on first use."""

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
    """Return the model's provider; all threads share its pooled connections.

    Raises:
        ConfigError: the model's `provider` is unknown, or rejects the model's other fields.
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
        provider_class = import_string(path)
    except (ImportError, ValueError) as error:  # ValueError: the path is "."
        known = ", ".join(ALIASES)
        raise ConfigError(
            f"model {model.name}: provider {model.provider!r} is neither one of {known} nor the"
            " dotted path of a class"
        ) from error
    if not isinstance(provider_class, type) or not issubclass(provider_class, Provider):
        raise ConfigError(f"model {model.name}: provider {model.provider!r} is not a Provider")
    return provider_class(model)
