"""`sentinel://` URLs."""

import pytest

from chat.domain.errors import ConfigError
from chat.redis_url import SentinelURL, parse_sentinel_url


def test_sentinel_url_is_parsed() -> None:
    url = parse_sentinel_url("sentinel://:p%40ss@one:26380,two/3?service=mymaster")
    assert url == SentinelURL(
        sentinels=(("one", 26380), ("two", 26379)),
        service="mymaster",
        username=None,
        password="p@ss",
        db=3,
    )
    assert url.broker_url == "sentinel://:p%40ss@one:26380/3;sentinel://:p%40ss@two:26379/3"


def test_other_schemes_return_none() -> None:
    assert parse_sentinel_url("redis://:secret@host:6379/0") is None


@pytest.mark.parametrize(
    "url", ["sentinel://host:26379", "sentinel://host:x/0?service=a", "sentinel://host/a?service=a"]
)
def test_invalid_sentinel_url_is_rejected(url: str) -> None:
    with pytest.raises(ConfigError):
        parse_sentinel_url(url)
