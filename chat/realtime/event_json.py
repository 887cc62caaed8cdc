"""What followers are told, as JSON: the events as they are stored, and what is not stored."""

from collections.abc import Iterable

import orjson

from chat.api import renderers
from chat.domain import EventBatch, Gap

GAP = b'{"type":"gap","session_id":%b,"created_at":%.3f,"requested":%d,"earliest":%d,"latest":%d}'
SNAPSHOT = b'{"type":"snapshot","session_id":%b,%b'


def serialize_events(found: EventBatch | Gap) -> Iterable[tuple[int, bytes]]:
    """Return each event with the seq to resume from once it has arrived."""
    if isinstance(found, EventBatch):
        return enumerate(found.events, found.first_seq)
    session = found.snapshot
    session_id = orjson.dumps(session.id)
    gap = GAP % (session_id, session.now, found.requested, found.earliest, session.seq)
    snapshot = SNAPSHOT % (session_id, renderers.render_session(session)[1:])
    # Who has only the gap must be told of it again.
    return ((found.requested, gap), (session.seq, snapshot))
