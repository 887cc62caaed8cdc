"""Turns that this process is running."""

from pytest_django import Settings

from chat.domain import StopCause, Timeouts
from chat.worker.active_turns import ActiveTurn
from tests.unit.conversation.test_context_window import claim, user


def test_text_after_a_truncated_delta_is_dropped(settings: Settings) -> None:
    settings.CHAT_MAX_REPLY_BYTES = 6
    turn = ActiveTurn(claim(user(1, "hi")), Timeouts())
    for delta in ("four", "fi\N{SNOWMAN}", "x", "and more"):
        turn.append(delta)
    assert turn.stop_cause is StopCause.TOO_LONG
    assert turn.remaining().escaped == b"fourfi"
    assert turn.output_bytes == 6
