import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.api.strict_json import MAX_DEPTH, read_object
from chat.domain.errors import InvalidRequest

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(TEXT, VALUES), st.booleans())
def test_valid_objects_are_parsed_unchanged(value: dict[str, object], is_ascii: bool) -> None:
    assert read_object(json.dumps(value, ensure_ascii=is_ascii).encode()) == value


@pytest.mark.security("S13")
@given(st.dictionaries(TEXT, VALUES, min_size=1))
def test_repeated_key_is_rejected_at_any_level(value: dict[str, object]) -> None:
    key = json.dumps(next(iter(value)))
    repeated = f"{{{key}:1,{json.dumps(value)[1:]}"
    for body in (repeated, f'{{"outer":{repeated}}}', f'{{"outer":[1,{repeated}]}}'):
        with pytest.raises(InvalidRequest, match="repeat a key"):
            read_object(body.encode())


@pytest.mark.security("S13")
@given(st.binary())
def test_any_bytes_are_parsed_or_rejected(body: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        assert isinstance(read_object(body), dict)


@pytest.mark.security("S12")
@pytest.mark.parametrize("brackets", [b"[]", b'{"a":}'])
def test_depth_is_limited(brackets: bytes) -> None:
    opening, closing = brackets[:-1], brackets[-1:]

    def nested(depth: int) -> bytes:
        return b'{"a":' + opening * (depth - 1) + b"1" + closing * (depth - 1) + b"}"

    assert read_object(nested(MAX_DEPTH - 1))
    with pytest.raises(InvalidRequest, match="nested"):
        read_object(nested(MAX_DEPTH))


@pytest.mark.security("S48")
@pytest.mark.parametrize("element", [b"{}", b"0", b"[]", b'{"":0}'])
def test_number_of_values_is_limited(element: bytes) -> None:
    with pytest.raises(InvalidRequest, match="at most 50,000 values"):
        read_object(b'{"a":[%b]}' % b",".join([element] * 60_000))


def test_brackets_in_strings_and_siblings_are_not_depth() -> None:
    assert read_object(json.dumps({"a": "[" * 1000, "b": [[]] * 1000}).encode())


@pytest.mark.parametrize(
    "text", [r"\\", r"\"", r"\\\"", r"\\\\", r"\"\"\"", r"\\\\\"", ":", "{", r"\\u0000"]
)
def test_escapes_do_not_confuse_the_checks(text: str) -> None:
    body = f'{{"{text}":"{text}"}}'
    assert read_object(body.encode()) == json.loads(body)


@pytest.mark.security("S13")
@pytest.mark.parametrize("number", ["1" * 20, "-" + "1" * 20, "1" * 5000])
def test_integers_beyond_64_bits_are_rejected(number: str) -> None:
    for body in (f'{{"a":{number}}}', f'{{"a":[1, {number}]}}'):
        with pytest.raises(InvalidRequest, match="digits"):
            read_object(body.encode())


@pytest.mark.parametrize("number", ["9" * 18, "0." + "1" * 30, "1e300", "-1.5E-10"])
def test_other_numbers_are_accepted(number: str) -> None:
    assert read_object(f'{{"a":{number}}}'.encode()) == json.loads(f'{{"a":{number}}}')
