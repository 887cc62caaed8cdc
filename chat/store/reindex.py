"""Noting again what sessions are searched by: for those that an earlier version opened."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from chat.settings import chat_settings
from chat.store import keys, listing
from chat.store.client import client, map_errors
from chat.store.scripts import run_pipeline, script_call
from chat.store.search import normalize_name

BATCH_SIZE = 500
"""Sessions that are noted in one round trip."""


def index_sessions(session_ids: Sequence[str]) -> None:
    """Note names and models of the sessions that exist, and forget the others; two round trips.

    One that is given another name meanwhile is noted by that.

    Raises:
        StoreUnavailable
    """
    names = {brief.id: brief.name for brief in listing.summaries(session_ids)}
    asked = ((each, names.get(each, b'""')) for each in session_ids)
    calls = [
        script_call("index_session", each, name, normalize_name(orjson.loads(name)))
        for each, name in asked
    ]
    with map_errors():
        for answer in run_pipeline(client(), calls):
            if isinstance(answer, Exception):
                raise answer


def all_ids() -> Iterator[list[str]]:
    """Yield the ids of all sessions that are listed or noted, some at a time; a few come twice.

    Raises:
        StoreUnavailable
    """
    yield from listing.scan()
    for tag in range(chat_settings.PARTITIONS):
        cursor = None
        while cursor != 0:
            untyped: Any = client()
            with map_errors():
                cursor, found = untyped.hscan(
                    keys.search_fields(tag), cursor or 0, count=BATCH_SIZE
                )
            yield [session_id.decode() for session_id in found]
