import pytest

from chat.domain.errors import ModelInvalidResponse
from chat.providers.json_access import SurrogateJoiner, get_path, get_token_count, parse_leniently


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"<html>",
        b'"\xc3\x28"',
        b"[" * 100_000,
        b'{"a": 1} x',
        b"9" * 5000,
        "Grüße".encode("latin-1"),
    ],
)
def test_invalid_json_is_rejected(data: bytes) -> None:
    with pytest.raises(ModelInvalidResponse):
        parse_leniently(data)


def test_error_does_not_contain_the_text() -> None:
    for data in (b'{"content": "canary', b'{"content": "canary\xff"}'):
        with pytest.raises(ModelInvalidResponse) as caught:
            parse_leniently(data)
        link: BaseException | None = caught.value
        while link is not None:
            assert "canary" not in repr(link)
            assert "canary" not in repr(vars(link))
            link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def test_nan_and_surrogates_are_read() -> None:
    assert parse_leniently(b'"\\ud83d\\ude00\\u2028\\u0000"') == "\U0001f600\u2028\0"
    assert parse_leniently(b'{"a":"\\ud83d","b":NaN}')["a"] == "\ud83d"  # type: ignore[index]
    assert parse_leniently(b'"\xed\xa0\xbd"') == "\ud83d"


@pytest.mark.parametrize(
    ("deltas", "text"),
    [
        (["\ud83d", "\ude00"], "\U0001f600"),
        (["a\ud83d", "\ude00b"], "a\U0001f600b"),
        (["\ud83d", "", "\ude00"], "\U0001f600"),
        (["\ud83d\ude00"], "\U0001f600"),
        (["\ud83d", "a"], "\ufffda"),
        (["\ude00"], "\ufffd"),
        (["a\ud83d"], "a\ufffd"),
        (["\ud83d", "\ud83d", "\ude00"], "\ufffd\U0001f600"),
    ],
)
def test_halves_of_a_character_are_joined(deltas: list[str], text: str) -> None:
    joiner = SurrogateJoiner()
    assert "".join([*map(joiner.join, deltas), joiner.flush()]) == text


def test_missing_path_is_none() -> None:
    document = {"a": [{"b": 0}], "s": "text", "n": None}
    assert get_path(document, "a", 0, "b") == 0
    for path in (("a", 1), ("a", "b"), ("s", "b"), ("n", "x", 0), ("x",), ("a", 0, "b", "c")):
        assert get_path(document, *path) is None
    assert get_path(None, "a") is None
    assert get_path(7, 0) is None


def test_token_count_is_a_plausible_integer() -> None:
    assert get_token_count({"a": 7}, "a") == 7
    assert get_token_count({"a": 7.0}, "a") == 7
    for wrong in (-1, 10**10, 2**64 - 1, True, 1.5, float("nan"), 1e300, "7", None, ["7"]):
        assert get_token_count({"a": wrong}, "a") is None
