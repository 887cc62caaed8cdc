"""The models that sessions may name."""

from collections.abc import Mapping

from django.conf import settings

from chat.domain import Model
from chat.errors import UnknownModel


def all_models() -> Mapping[str, Model]:
    """Return the models of the settings by name."""
    models: Mapping[str, Model] = settings.CHAT_MODELS
    return models


def named(name: str) -> Model:
    """Return the model of this name.

    Raises:
        UnknownModel: the settings have none.
    """
    try:
        return all_models()[name]
    except KeyError:
        raise UnknownModel(param="model") from None
