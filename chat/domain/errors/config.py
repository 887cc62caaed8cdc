"""What is wrong with the settings."""

from chat.domain.errors.base import ParleyError


class ConfigError(ParleyError):
    """A setting is wrong."""

    code = "config_error"
