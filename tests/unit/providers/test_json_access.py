import pytest

from chat.domain.errors import ModelInvalidResponse
from chat.providers.json_access import get_path, get_text, get_token_count, parse


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"<html>",
        b'"\xc3\x28"',
        b'"\\ud83d"',
        b"NaN",
        b"[" * 100_000,
        b'{"a": 1} x',
        "Grüße".encode("latin-1"),
    ],
)
def test_invalid_json_is_rejected(data: bytes) -> None:
    with pytest.raises(ModelInvalidResponse):
        parse(data)


def test_error_does_not_contain_the_document() -> None:
    with pytest.raises(ModelInvalidResponse) as caught:
        parse(b'{"content": "canary')
    link: BaseException | None = caught.value
    while link is not None:
        assert "canary" not in repr(link)
        assert "canary" not in repr(vars(link))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def test_surrogate_pairs_and_line_separators_are_valid() -> None:
    assert parse(b'"\\ud83d\\ude00\\u2028\\u0000"') == "\U0001f600\u2028\0"


def test_missing_path_is_none() -> None:
    document = {"a": [{"b": 0}], "s": "text", "n": None}
    assert get_path(document, "a", 0, "b") == 0
    for path in (("a", 1), ("a", "b"), ("s", "b"), ("n", "x", 0), ("x",), ("a", 0, "b", "c")):
        assert get_path(document, *path) is None
    assert get_path(None, "a") is None
    assert get_path(7, 0) is None


def test_get_text_accepts_strings_only() -> None:
    assert get_text({"a": "x"}, "a") == "x"
    assert get_text({"a": None}, "a") == ""
    assert get_text({}, "a") == ""
    for wrong in (1, True, ["x"], {"x": 1}):
        with pytest.raises(ModelInvalidResponse):
            get_text({"a": wrong}, "a")


def test_token_count_is_a_plausible_integer() -> None:
    assert get_token_count({"a": 7}, "a") == 7
    for wrong in (-1, 10**10, 2**64 - 1, True, 1.5, "7", None, ["7"]):
        assert get_token_count({"a": wrong}, "a") is None
