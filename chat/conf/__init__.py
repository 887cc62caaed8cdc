"""Parley's knobs and models: what they mean, their units, and how they are read at start.

Every knob is a Django setting `CHAT_<NAME>` and, through `project/settings.py`, an environment
variable of the same name. The shape (a class whose attributes are the defaults) is borrowed from
procrastinate's `contrib/django/settings.py`.
"""

from chat.conf.environment import NAMELESS, has_webhook, read_knobs
from chat.conf.knobs import Knobs, default_knobs, knobs
from chat.conf.models import read_models
from chat.conf.values import networks, read_boolean, read_list, read_origins, webhook_secrets

__all__ = [
    "NAMELESS",
    "Knobs",
    "default_knobs",
    "has_webhook",
    "knobs",
    "networks",
    "read_boolean",
    "read_knobs",
    "read_list",
    "read_models",
    "read_origins",
    "webhook_secrets",
]
