"""What every worker does beside its turns: look at what is due, and wake, recover or end it."""

from chat import broker
from chat.domain import RecoveryResult
from chat.settings import chat_settings
from chat.store import due

GRACE_PER_WAKE_UP = 0.01
"""Seconds to be patient for each wake-up that the broker still holds.

A long queue is not a lost wake-up; waking it anew at the rate at which it drains keeps the extra
wake-ups to about a hundred a second however many turns wait.
"""


def sweep() -> int:
    """Look at all that is due; return how many sessions were woken.

    Raises:
        StoreUnavailable: Redis gave no answer; the next sweep sees the same sessions.
    """
    session_ids = due.claim_due()
    if not session_ids:
        return 0
    grace = chat_settings.WAKE_GRACE + (broker.queue_length() or 0) * GRACE_PER_WAKE_UP
    looks = due.recover(session_ids, grace=grace)
    woken = [
        session_id
        for session_id, look in zip(session_ids, looks, strict=True)
        if look is RecoveryResult.WAKE
    ]
    for session_id in woken:
        broker.wake_session(session_id)
    return len(woken)
