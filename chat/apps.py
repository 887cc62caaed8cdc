"""Where Django finds the app."""

from django.apps import AppConfig


class ChatConfig(AppConfig):
    """Parley's one Django app."""

    name = "chat"
