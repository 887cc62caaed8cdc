"""What is wrong with the settings."""

from chat.errors.base import ParleyError


class ConfigError(ParleyError):
    """A setting is wrong."""

    code = "config_error"
