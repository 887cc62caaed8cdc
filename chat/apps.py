"""Where Django finds the app."""

from importlib import import_module

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured

from chat import broker
from chat.conversation import llms
from chat.domain.errors import ConfigError
from chat.store import client


class ChatConfig(AppConfig):
    """Parley's one Django app."""

    name = "chat"

    def ready(self) -> None:
        """Stop the start of any process whose Redis, broker or models cannot be called.

        Raises:
            ImproperlyConfigured: it names the setting.
        """
        import_module("chat.admin.registration")
        try:
            client.check_redis_url()
            broker.check_url()
            llms.check()
        except ConfigError as error:
            raise ImproperlyConfigured(error.message) from error
