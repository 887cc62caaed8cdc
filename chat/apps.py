"""The Django app."""

from importlib import import_module

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from chat import broker
from chat.conversation import llms
from chat.domain.errors import ConfigError
from chat.operations import deployment_checks
from chat.store import client


class ChatConfig(AppConfig):
    name = "chat"

    def ready(self) -> None:
        """Check the configuration of Redis, the broker, the models and the issuers of JWTs.

        Raises:
            ImproperlyConfigured: a setting is wrong; the message names it.
        """
        if apps.is_installed("django.contrib.admin"):
            import_module("chat.admin.registration")
        for check in (deployment_checks.django_check, deployment_checks.django_check_servers):
            checks.register(check, checks.Tags.security, deploy=True)
        try:
            client.check_redis_url()
            broker.check_url()
            llms.check()
            if getattr(settings, "CHAT_ISSUERS", None):  # only these processes load cryptography
                import_module("chat.accounts.jwts").check()
        except ConfigError as error:
            raise ImproperlyConfigured(error.message) from error
