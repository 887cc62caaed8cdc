"""Message ids and their numbers."""

import pytest

from chat.domain.errors import MessageNotFound
from chat.domain.ids import message_number


@pytest.mark.parametrize("number", [1, 2, 999_999_999_999_999])
def test_message_id_contains_its_number(number: int) -> None:
    assert message_number(f"msg_{number}") == number


@pytest.mark.parametrize(
    "message_id",
    [
        *("", "msg_", "msg_0", "msg_01", "msg_-1", "msg_1.5", "msg_1e3", "msg_1\n", " msg_1"),
        *("MSG_1", "msg_\u0661", "msg_{1}", "msg_*", "msg_9999999999999999", "ses_1"),
    ],
)
def test_malformed_message_id_is_not_found(message_id: str) -> None:
    with pytest.raises(MessageNotFound):
        message_number(message_id)
