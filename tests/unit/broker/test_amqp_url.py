"""URLs of RabbitMQ."""

import pytest
from kombu import Connection

from chat.broker.amqp_url import is_amqp_url, parse_amqp_options, tls_arguments
from chat.broker.transport import kombu_url
from chat.domain.errors import ConfigError


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("", {}),
        ("?heartbeat=10", {"heartbeat": 10}),
        ("?connect_timeout=2.5", {"connect_timeout": 2.5}),
        ("?login_method=AMQPLAIN", {"login_method": "AMQPLAIN"}),
        ("?ssl_ca_certs=/ca.pem", {"ssl_ca_certs": "/ca.pem"}),
    ],
)
def test_options_are_converted(query: str, options: dict[str, object]) -> None:
    assert parse_amqp_options(f"amqps://u:p@h:1//{query}") == options


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("amqp://u:hidden@h?ssl_ca_certs=/ca.pem", "unknown option 'ssl_ca_certs'"),
        ("amqp://u:hidden@h?foo=bar", "unknown option 'foo'"),
        ("amqp://u:hidden@h?connection_attempts=3", "unknown option 'connection_attempts'"),
        ("amqp://u:hidden@h?frame_max=131072", "unknown option 'frame_max'"),
        ("amqp://u:hidden@h?connect_timeout=hidden", "'connect_timeout' has an invalid value"),
        ("amqp://u:hidden@h?login_method=hidden", "'login_method' has an invalid value"),
        ("amqp://u:p@h:hidden//", "the port is not a number"),
        ("amqp://u:hidden@h1;amqp://u:hidden@h2", "lists of servers, separated by ;"),
        ("amqp://u:hidden@h1;h2", "lists of servers, separated by ;"),
        ("amqp://u:hidden@h1//;h2", "lists of servers, separated by ;"),
        ("amqp://u:p@h/hidden@x", "in user, password and path: "),
    ],
)
def test_invalid_urls_are_named_without_the_password(url: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_amqp_options(url)
    assert message in error.value.message
    assert "hidden" not in error.value.message


@pytest.mark.parametrize(
    ("url", "login"),
    [
        ("amqp://u:a;b@h:7//?heartbeat=10", ("u", "a;b", "h", 7, "/")),
        ("amqp://u:a%2Fb%3F@h/v%3Bw", ("u", "a/b?", "h", None, "v;w")),
        ("amqp://", (None, None, None, None, "/")),
    ],
)
def test_kombu_reads_the_same_parts(url: str, login: tuple[object, ...]) -> None:
    assert is_amqp_url(url)
    parse_amqp_options(url)
    with Connection(kombu_url(url)) as connection:
        found = (connection.userid, connection.password, connection.hostname, connection.port)
        assert (*found, connection.virtual_host) == login


def test_urls_of_other_brokers_stay() -> None:
    assert kombu_url("sqla+sqlite:///a;b?c=1") == "sqla+sqlite:///a;b?c=1"
    assert kombu_url("redis://:a;b@h/0?db=1") == "redis://:a%3Bb@h/0?db=1"


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        ("redis://h", {}),
        ("amqp://h", {}),
        ("amqps://localhost", {"server_hostname": "localhost"}),
        ("amqps://u:p@h:1//?ssl_ca_certs=/c", {"server_hostname": "h", "ca_certs": "/c"}),
        ("amqps://h?ssl_check_hostname=no&ssl_certfile=/c", {"certfile": "/c"}),
    ],
)
def test_tls_checks_the_host_of_the_url(url: str, arguments: dict[str, object]) -> None:
    assert tls_arguments(url) == arguments
