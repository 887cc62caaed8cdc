"""Django looks for an app's models here."""

from chat.admin.models import Message, Session

__all__ = ["Message", "Session"]
