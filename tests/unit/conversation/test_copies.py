"""Copies of sessions with files, one at a time."""

import pytest

from chat.conversation.copies import turn_to_copy
from chat.domain.errors import Unavailable


@pytest.mark.security("S65")
def test_one_session_with_files_is_copied_at_a_time() -> None:
    with turn_to_copy(1):
        with turn_to_copy(0):
            pass
        with pytest.raises(Unavailable), turn_to_copy(1):
            pass
    with turn_to_copy(1):
        pass
