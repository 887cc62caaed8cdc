"""Where Django finds the app."""

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured

from chat import dispatch
from chat.errors import ConfigError
from chat.services import models
from chat.store import client


class ChatConfig(AppConfig):
    """Parley's one Django app."""

    name = "chat"

    def ready(self) -> None:
        """Stop the start of any process whose Redis, broker or models cannot be called.

        Raises:
            ImproperlyConfigured: it names the setting.
        """
        try:
            client.check()
            dispatch.check()
            models.check()
        except ConfigError as error:
            raise ImproperlyConfigured(error.message) from error
