"""Message numbers, and text that is spliced into JSON."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.domain.errors import MessageNotFound
from chat.store.text import escaped, number_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(TEXTS))
def test_escaped_pieces_joined_are_the_text_escaped(pieces: list[str]) -> None:
    joined = b"".join(map(escaped, pieces))
    assert joined == escaped("".join(pieces))
    assert orjson.loads(b'"' + joined + b'"') == "".join(pieces)


@pytest.mark.parametrize("number", [1, 2, 999_999_999_999_999])
def test_a_message_id_tells_its_number(number: int) -> None:
    assert number_of(f"msg_{number}") == number


@pytest.mark.parametrize(
    "message_id",
    [
        *("", "msg_", "msg_0", "msg_01", "msg_-1", "msg_1.5", "msg_1e3", "msg_1\n", " msg_1"),
        *("MSG_1", "msg_\u0661", "msg_{1}", "msg_*", "msg_9999999999999999", "ses_1"),
    ],
)
def test_what_is_no_message_id_is_not_found(message_id: str) -> None:
    with pytest.raises(MessageNotFound):
        number_of(message_id)
