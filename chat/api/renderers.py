"""The JSON of what Parley answers, put together from the JSON that is stored.

Nothing stored is decoded here: decoding and encoding it again would cost more than all else that a
poll takes.
"""

import re

from chat.domain import Accepted, Page, Snapshot

# Finds a message's own id: inside a JSON string the quotes would bear backslashes.
ID = re.compile(rb'"id":"(msg_\d+)"')

# Seconds after which a poll may find more of a reply that is being written.
POLL_INTERVAL_RUNNING = 0.25
POLL_INTERVAL_QUEUED = 0.5
POLL_INTERVAL_IDLE = 5.0

SESSION = (
    b'"id":"%b","name":%b,"status":"%b","model":%b,"system_prompt":%b,"context":%b,'
    b'"metadata":%b,"webhook_url":%b,"created_at":%.3f,"last_active_at":%.3f,"expires_at":%.3f,"seq":%d,'
    b'"messages":[%b],"has_more":%b,"next_poll":%.2f}'
)


def render_session(session: Snapshot) -> bytes:
    """Return a session and its messages."""
    return b"{" + _session_members(session)


def render_new_session(token: str, session: Snapshot) -> bytes:
    """Return a new session with its token."""
    return b'{"token":"%b",' % token.encode() + _session_members(session)


def render_token(session_id: str, token: str, expires_at: float) -> bytes:
    """Return a session's new token and expiry."""
    members = (session_id.encode(), token.encode(), expires_at)
    return b'{"id":"%b","token":"%b","expires_at":%.3f}' % members


def render_ticket(word: str, seconds: float) -> bytes:
    """Return a ticket and how long it is good for."""
    return b'{"ticket":"%b","expires_in":%g}' % (word.encode(), seconds)


def render_accepted(turn: Accepted) -> bytes:
    """Return both messages of an accepted turn."""
    members = (turn.message, turn.reply, turn.queue_position)
    return b'{"message":%b,"reply":%b,"queue_position":%d}' % members


def render_page(found: Page) -> bytes:
    """Return messages, the ids of the first and the last, and whether there are more."""
    messages = found.messages
    return b'{"data":[%b],"first_id":%b,"last_id":%b,"has_more":%b}' % (
        b",".join(messages),
        b'"%b"' % message_id(messages[0]) if messages else b"null",
        b'"%b"' % message_id(messages[-1]) if messages else b"null",
        _bool(found.has_more),
    )


def message_id(message: bytes) -> bytes:
    """Return the id of a message that is JSON."""
    found: bytes = ID.findall(message)[0]
    return found


def _session_members(session: Snapshot) -> bytes:
    return SESSION % (
        session.id.encode(),
        session.name,
        b"busy" if session.running or session.waiting else b"idle",
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
    """Return the seconds after which another poll makes sense."""
    if session.running:
        return POLL_INTERVAL_RUNNING
    return POLL_INTERVAL_QUEUED if session.waiting else POLL_INTERVAL_IDLE


def _bool(value: bool) -> bytes:  # noqa: FBT001
    return b"true" if value else b"false"
