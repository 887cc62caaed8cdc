"""Rebuilding the search index, for sessions that an earlier version created."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from chat.settings import chat_settings
from chat.store import keys, listing
from chat.store.client import client, map_redis_errors
from chat.store.scripts import run_pipeline, script_call
from chat.store.search import normalize_name

# Sessions per round trip.
BATCH_SIZE = 500


def index_sessions(session_ids: Sequence[str]) -> None:
    """Index the sessions that exist, and remove the others; two round trips.

    A session that is renamed in between keeps the entry of its new name.

    Raises:
        StoreUnavailable
    """
    names = {summary.id: summary.name for summary in listing.summaries(session_ids)}
    pairs = ((session_id, names.get(session_id, b'""')) for session_id in session_ids)
    calls = [
        script_call("index_session", each, name, normalize_name(orjson.loads(name)))
        for each, name in pairs
    ]
    with map_redis_errors():
        for reply in run_pipeline(client(), calls):
            if isinstance(reply, Exception):
                raise reply


def all_ids() -> Iterator[list[str]]:
    """Yield the ids of all sessions that exist or are indexed, in batches; some come twice.

    Raises:
        StoreUnavailable
    """
    yield from listing.scan()
    untyped: Any = client()
    for partition in range(chat_settings.PARTITIONS):
        cursor = None
        while cursor != 0:
            with map_redis_errors():
                cursor, fields = untyped.hscan(
                    keys.search_fields(partition), cursor or 0, count=BATCH_SIZE
                )
            yield [session_id.decode() for session_id in fields]
