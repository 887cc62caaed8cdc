"""Rebuilding the search index, for sessions that an earlier version created."""

from collections.abc import Iterator, Sequence

import orjson

from chat.settings import chat_settings
from chat.store import keys, listing
from chat.store.calls import execute_all
from chat.store.client import execute_command
from chat.store.listing import SessionSummary
from chat.store.scripts import ScriptCall, script_call
from chat.store.search.session_filter import normalize_name

# Sessions per round trip.
BATCH_SIZE = 500


def index_sessions(session_ids: Sequence[str]) -> None:
    """Index the sessions that exist, and remove the others; two round trips.

    A session that is renamed in between keeps the entry of its new name.

    Raises:
        StoreUnavailable
    """
    found = {summary.id: summary for summary in listing.summaries(session_ids)}
    execute_all([_index_call(each, found.get(each)) for each in session_ids])


def _index_call(session_id: str, summary: SessionSummary | None) -> ScriptCall:
    name, openers = (summary.name, summary.openers) if summary else (b'""', ())
    args = (name, normalize_name(orjson.loads(name)), " ".join(openers))
    return script_call("index_session", session_id, *args)


def all_ids() -> Iterator[list[str]]:
    """Yield the ids of all sessions that exist or are indexed, in batches; some come twice.

    Raises:
        StoreUnavailable
    """
    yield from listing.scan()
    for partition in range(chat_settings.PARTITIONS):
        key, cursor = keys.search_fields(partition), b""
        while cursor != b"0":
            cursor, pairs = execute_command("HSCAN", key, cursor or 0, "COUNT", BATCH_SIZE)
            yield [session_id.decode() for session_id in pairs[::2]]
