"""URLs of RabbitMQ: `amqp://[user[:password]@]host[:port][/virtual host][?option=value&...]`.

`amqps://` is the same over TLS. Kombu alone fails on most options, on some only when it connects,
and accepts a trusted certificate of any other host.
"""

from collections.abc import Callable, Mapping
from typing import Any

from chat.connection_url import (
    boolean,
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
# The options of `amqps://`: names of PEM files, and whether the certificate must name the host.
# redis-py's options of `rediss://` have the same names.
TLS_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "ssl_ca_certs": str,
    "ssl_certfile": str,
    "ssl_keyfile": str,
    "ssl_check_hostname": boolean,
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
    allowed = {**OPTIONS, **(TLS_OPTIONS if _is_tls(url) else {})}
    return convert_options(parse_query(parts.query, allowed), allowed)


def tls_arguments(url: str) -> dict[str, Any]:
    """Return py-amqp's arguments for TLS; none for other URLs.

    Raises:
        ConfigError: as `parse_amqp_options`.
    """
    if not _is_tls(url):
        return {}
    options = parse_amqp_options(url)
    arguments = {
        name.removeprefix("ssl_"): value
        for name, value in options.items()
        if name in TLS_OPTIONS and name != "ssl_check_hostname"
    }
    if options.get("ssl_check_hostname", True):
        # Also the name for SNI; py-amqp does not check the certificate's host without it.
        arguments["server_hostname"], _ = parse_host(split_url(url).hosts, DEFAULT_PORT)
    return arguments


def _is_tls(url: str) -> bool:
    return scheme_of(url) == "amqps"
