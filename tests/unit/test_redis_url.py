"""URLs of Redis, for data and broker."""

import pytest

from chat.broker.transport import RedisTransport, transport_path
from chat.domain.errors import ConfigError
from chat.redis_url import Kind, is_redis_url, parse_redis_url


def test_a_sentinel_url_names_sentinels_service_and_login() -> None:
    url = parse_redis_url("sentinel://:p%40ss@one:26380,two/3?service=mymaster")
    assert url.kind is Kind.SENTINEL
    assert url.hosts == (("one", 26380), ("two", 26379))
    assert (url.service, url.username, url.password, url.db) == ("mymaster", None, "p@ss", 3)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://", ("localhost", 6379)),
        ("redis://:6380", ("localhost", 6380)),
        ("redis://h", ("h", 6379)),
        ("rediss://[::1]:7/0", ("::1", 7)),
    ],
)
def test_host_and_port_have_defaults(url: str, address: tuple[str, int]) -> None:
    assert parse_redis_url(url).hosts == (address,)


@pytest.mark.parametrize(
    ("url", "db"),
    [
        ("redis://h", 0),
        ("redis://h/", 0),
        ("redis://h/2", 2),
        ("redis://h/%32", 2),
        ("redis://h?db=2", 2),
        ("redis://h/1?db=2", 2),
        ("unix:///run/r.sock", 0),
        ("unix:///run/r.sock?db=2", 2),
        ("unix:///run/r.sock?virtual_host=2", 2),
    ],
)
def test_the_database_is_in_path_or_query(url: str, db: int) -> None:
    assert parse_redis_url(url).db == db


@pytest.mark.parametrize(
    ("url", "login"),
    [
        ("redis://h", (None, None)),
        ("redis://:p@h", (None, "p")),
        ("redis://u:p@h", ("u", "p")),
        ("redis://u%3A:p%2F%40@h", ("u:", "p/@")),
        ("redis://h?password=p", (None, "p")),
        ("redis://h?username=u&password=p%26", ("u", "p&")),
        ("redis://u:p@h?username=other&password=other", ("u", "p")),
        ("unix://:p@/run/r.sock?db=2", (None, "p")),
        ("unix://u:p@/run/r.sock", ("u", "p")),
        ("unix:///run/r.sock?password=p", (None, "p")),
    ],
)
def test_the_login_is_in_authority_or_query(url: str, login: tuple[str | None, ...]) -> None:
    parsed = parse_redis_url(url)
    assert (parsed.username, parsed.password) == login


@pytest.mark.case("C20")
@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("health_check_interval=30", {"health_check_interval": 30}),
        ("protocol=2", {"protocol": 2}),
        ("protocol=3", {}),
        ("max_connections=50", {"max_connections": 50}),
        ("socket_timeout=1.5", {"socket_timeout": 1.5}),
        ("socket_keepalive=no", {"socket_keepalive": False}),
        ("client_name=parley", {"client_name": "parley"}),
    ],
)
def test_options_of_redis_py_are_read(query: str, options: dict[str, object]) -> None:
    assert parse_redis_url(f"redis://h/0?{query}").options == options


@pytest.mark.case("C20")
@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://h/0?decode_responses=yes", "unknown option 'decode_responses'"),
        ("redis://h/0?typo=1", "unknown option 'typo'"),
        ("redis://h/0?protocol=4", "option 'protocol' has an invalid value"),
        ("redis://h/0?socket_timeout=hidden", "option 'socket_timeout' has an invalid value"),
        ("redis://h/0?ssl_cert_reqs=none", "option 'ssl_cert_reqs' requires rediss://"),
        ("rediss://h/0?ssl_cert_reqs=maybe", "option 'ssl_cert_reqs' has an invalid value"),
        ("unix:///s?socket_keepalive=1", "option 'socket_keepalive' does not apply to unix://"),
        ("unix://run/r.sock", "needs an absolute path"),
        ("unix://", "needs the path"),
        ("redis://h/x", "the database is not a number"),
        ("redis://:hidden@h:port/0", "the port is not a number"),
        ("redis://h/0?service=m", "service applies to sentinel://"),
        ("sentinel://h:26379", "must name the primary"),
        ("sentinel://h:x/0?service=a", "the port is not a number"),
        ("sentinel://h/a?service=a", "the database is not a number"),
        ("http://h", "expected a URL that starts with"),
        ("nonsense", "expected a URL that starts with"),
        ("unix:/run/r.sock", "expected a URL that starts with"),
        ("redis://:hidden@h1;redis://:hidden@h2", "lists of servers, separated by ;"),
        ("redis://h1;h2/0", "lists of servers, separated by ;"),
        ("redis://h/0?typo=@", "unknown option, or percent-encode"),
        ("redis://h/0?password=a&hidden", "unknown option, or percent-encode"),
    ],
)
def test_invalid_urls_are_named_without_the_password(url: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_redis_url(url)
    assert message in error.value.message
    assert "hidden" not in error.value.message


@pytest.mark.case("C20")
@pytest.mark.parametrize(
    "name", ["none", "CERT_NONE", "required", "CERT_REQUIRED", "CERT_OPTIONAL"]
)
def test_certificate_requirements_have_celerys_names_too(name: str) -> None:
    options = parse_redis_url(f"rediss://h?ssl_cert_reqs={name}").options
    assert options == {"ssl_cert_reqs": name.lower().removeprefix("cert_")}


def test_other_brokers_are_left_to_kombu() -> None:
    assert not is_redis_url("amqp://u:p@h//v")


def test_the_case_of_the_scheme_is_ignored() -> None:
    assert is_redis_url("REDIS://h")
    assert parse_redis_url("REDIS://h").kind is Kind.TCP


def test_celery_finds_the_transport_of_each_kind() -> None:
    assert transport_path("unix:///s").endswith(":RedisTransport")
    assert transport_path("sentinel://h?service=m").endswith(":SentinelTransport")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://u:p@h/2?password=p", "redis://h:6379/2"),
        ("unix://:p@/run/r.sock?db=2", "unix:///run/r.sock/2"),
        ("sentinel://:p@a,b:1/3?service=m", "sentinel://a:26379,b:1/3"),
    ],
)
def test_logs_show_no_credentials_of_the_broker(url: str, shown: str) -> None:
    transport = object.__new__(RedisTransport)
    assert transport.as_uri(url, include_password=True) == shown
