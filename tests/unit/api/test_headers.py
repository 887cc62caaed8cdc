import pytest

from chat.api import headers
from chat.domain.errors import InvalidRequest


def test_etag_matches_only_the_same_query() -> None:
    meta = {"HTTP_IF_NONE_MATCH": headers.etag(7, 3, 50)}
    assert headers.known_seq(meta, 3, 50) == 7
    assert headers.known_seq(meta, 4, 50) == -1
    assert headers.known_seq(meta, 3, 20) == -1


@pytest.mark.parametrize(
    "value", ["", "*", '"7"', "7-3-50", 'W/"7-3"', '"-7-3-50"', 'W/"' + "9" * 30 + '-3-50"']
)
def test_foreign_etag_is_ignored(value: str) -> None:
    assert headers.known_seq({"HTTP_IF_NONE_MATCH": value}, 3, 50) == -1


def test_etag_is_found_among_several() -> None:
    listed = f'"a", {headers.etag(1, -1, 20)}, {headers.etag(2, -1, 50)}'
    assert headers.known_seq({"HTTP_IF_NONE_MATCH": listed}, -1, 50) == 2


@pytest.mark.parametrize("key", ["x" * 8, "x" * 255, "a b c d e", "!~!~!~!~"])
def test_printable_ascii_keys_are_accepted(key: str) -> None:
    assert headers.idempotency_key({"HTTP_IDEMPOTENCY_KEY": key}) == key


@pytest.mark.security("S16")
@pytest.mark.parametrize("key", ["", " ", "x ", "x" * 256, "12345678\n", "\x7f" * 8, "é" * 8])
def test_invalid_keys_are_rejected(key: str) -> None:
    with pytest.raises(InvalidRequest):
        headers.idempotency_key({"HTTP_IDEMPOTENCY_KEY": key})


@pytest.mark.security("S16")
def test_secret_key_must_be_longer() -> None:
    meta = {"HTTP_IDEMPOTENCY_KEY": "x" * 15}
    assert headers.idempotency_key(meta) == "x" * 15
    with pytest.raises(InvalidRequest):
        headers.idempotency_key(meta, is_secret=True)


def test_key_is_optional() -> None:
    assert headers.idempotency_key({}) == ""
