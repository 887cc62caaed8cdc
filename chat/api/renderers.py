"""JSON of responses, assembled from stored JSON.

Stored JSON is not decoded here: decoding and encoding it would cost more than the rest of a poll.
"""

import re

from chat.conversation.users import SessionSummary, UserSessions
from chat.domain import Accepted, Page, Snapshot

# The id of a message. It cannot match inside a JSON string, where quotes are escaped.
ID = re.compile(rb'"id":"(msg_\d+)"')

# Seconds; the `next_poll` of a session, by its state.
POLL_INTERVAL_RUNNING = 0.25
POLL_INTERVAL_QUEUED = 0.5
POLL_INTERVAL_IDLE = 5.0

SESSION = (
    b'"id":"%b","name":%b,"status":"%b","model":%b,"system_prompt":%b,"context":%b,'
    b'"metadata":%b,"webhook_url":%b,"created_at":%.3f,"last_active_at":%.3f,"expires_at":%.3f,"seq":%d,'
    b'"messages":[%b],"has_more":%b,"next_poll":%.2f}'
)


def render_session(session: Snapshot) -> bytes:
    return b"{" + _session_members(session)


def render_new_session(token: str, session: Snapshot) -> bytes:
    return b'{"token":"%b",' % token.encode() + _session_members(session)


def render_token(session_id: str, token: str, expires_at: float) -> bytes:
    members = (session_id.encode(), token.encode(), expires_at)
    return b'{"id":"%b","token":"%b","expires_at":%.3f}' % members


def render_ticket(ticket: str, expires_in: float) -> bytes:
    return b'{"ticket":"%b","expires_in":%g}' % (ticket.encode(), expires_in)


def render_accepted(turn: Accepted) -> bytes:
    members = (turn.message, turn.reply, turn.queue_position)
    return b'{"message":%b,"reply":%b,"queue_position":%d}' % members


def render_page(page: Page) -> bytes:
    messages = page.messages
    return b'{"data":[%b],"first_id":%b,"last_id":%b,"has_more":%b}' % (
        b",".join(messages),
        b'"%b"' % message_id(messages[0]) if messages else b"null",
        b'"%b"' % message_id(messages[-1]) if messages else b"null",
        _bool(page.has_more),
    )


def render_sessions(page: UserSessions) -> bytes:
    """Return a page of a user's sessions."""
    after = page.next
    return b'{"data":[%b],"next_before":%b}' % (
        b",".join(map(_session_summary, page.sessions)),
        b'"%d-%b"' % (after.active_at, after.session_id.encode()) if after else b"null",
    )


def _session_summary(summary: SessionSummary) -> bytes:
    return b'{"id":"%b","name":%b,"status":"%b","model":%b,"last_active_at":%.3f}' % (
        summary.id.encode(),
        summary.name,
        b"idle" if summary.status == "idle" else b"busy",
        summary.model,
        summary.last_active_at,
    )


def message_id(message: bytes) -> bytes:
    first: bytes = ID.findall(message)[0]
    return first


def _session_members(session: Snapshot) -> bytes:
    return SESSION % (
        session.id.encode(),
        session.name,
        b"busy" if session.is_running or session.queued_turns else b"idle",
        session.model,
        session.system_prompt,
        session.context,
        session.metadata,
        session.webhook_url,
        session.created_at,
        session.last_active_at,
        session.expires_at,
        session.seq,
        b",".join(session.messages),
        _bool(session.has_more),
        _next_poll(session),
    )


def _next_poll(session: Snapshot) -> float:
    if session.is_running:
        return POLL_INTERVAL_RUNNING
    return POLL_INTERVAL_QUEUED if session.queued_turns else POLL_INTERVAL_IDLE


def _bool(value: bool) -> bytes:  # noqa: FBT001
    return b"true" if value else b"false"
