"""URLs of RabbitMQ: `amqp://[user[:password]@]host[:port][/virtual host][?option=value&...]`.

`amqps://` is the same over TLS. Kombu alone fails on most options, on some only when it connects.
"""

from collections.abc import Callable, Mapping
from typing import Any

from chat.connection_url import (
    convert_options,
    natural,
    one_of,
    parse_host,
    parse_query,
    positive_float,
    scheme_of,
    split_url,
)
from chat.domain.errors import ConfigError

DEFAULT_PORT = 5672
SCHEMES = ("amqp", "amqps", "pyamqp")
# How the options' values are read.
OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "connect_timeout": positive_float,
    "heartbeat": natural,
    "login_method": one_of("PLAIN", "AMQPLAIN", "EXTERNAL"),
}


def is_amqp_url(url: str) -> bool:
    """Return whether the URL has one of the schemes above."""
    return scheme_of(url) in SCHEMES


def parse_amqp_options(url: str) -> dict[str, Any]:
    """Check a URL of RabbitMQ and return the options of its query.

    Raises:
        ConfigError: the port is invalid, or an option unknown or invalid. The message quotes no
            part of the URL, except an option's name.
    """
    parts = split_url(url)
    parse_host(parts.hosts, DEFAULT_PORT)
    if ";" in parts.path:
        raise ConfigError("lists of servers, separated by ;, are not supported: name one server")
    return convert_options(parse_query(parts.query, OPTIONS), OPTIONS)
