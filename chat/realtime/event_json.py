"""JSON of events, as subscribers receive them: stored events, gaps and snapshots."""

from collections.abc import Iterable

import orjson

from chat.api import renderers
from chat.domain import EventBatch, Gap

GAP = b'{"type":"gap","session_id":%b,"created_at":%.3f,"requested":%d,"earliest":%d,"latest":%d}'
SNAPSHOT = b'{"type":"snapshot","session_id":%b,%b'


def serialize_events(item: EventBatch | Gap) -> Iterable[tuple[int, bytes]]:
    """Return each event with the seq from which a client that has received it resumes."""
    if isinstance(item, EventBatch):
        return enumerate(item.events, item.first_seq)
    session = item.snapshot
    session_id = orjson.dumps(session.id)
    gap = GAP % (session_id, session.now, item.requested, item.earliest, session.seq)
    snapshot = SNAPSHOT % (session_id, renderers.render_session(session)[1:])
    # A client that received the gap, but not the snapshot, must get both again.
    return ((item.requested, gap), (session.seq, snapshot))
