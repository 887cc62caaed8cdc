"""Where Django finds the app."""

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured

from chat.errors import ConfigError
from chat.services import models


class ChatConfig(AppConfig):
    """Parley's one Django app."""

    name = "chat"

    def ready(self) -> None:
        """Stop the start of any process whose models cannot be called."""
        try:
            models.check()
        except ConfigError as error:
            raise ImproperlyConfigured(error.message) from error
