"""Every key that Parley keeps in Redis, with its type and how long it lives.

Keys of one session share the hash tag of its partition, so each script touches one slot and the
same scripts could run on Redis Cluster.
"""

from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from chat.settings import chat_settings


class SessionKeys(NamedTuple):
    """The KEYS of every script over one session, in their order."""

    session: str
    """hash: the session's fields; lives until `expires` plus a margin."""
    messages: str
    """hash: message number -> JSON, and `<reply>:ask` -> deadline and options while it is open."""
    partial: str
    """string: text of the running reply, the inside of a JSON string."""
    events: str
    """stream, capped: the log; also the name of the channel that tells of news."""
    idempotency: str
    """hash: idempotency key -> what the first answer was built of."""
    due: str
    """zset: every live session of the partition -> ms at which it must be looked at; permanent."""
    by_activity: str
    """zset: session -> ms of its last activity; permanent."""
    counts: str
    """hash: gauges and totals of the partition, kept by the scripts; permanent."""
    waiting: str
    """zset: session in which turns wait and none runs -> ms since when; permanent."""
    running: str
    """zset: session whose turn runs -> ms since when; permanent."""
    counters: str
    """hash: turns by outcome and model, tokens, buckets of latencies, since ever; permanent."""
    last_hour: str
    """hash: the same of the last hour, by the minute; lives for two hours."""
    deliveries: str
    """hash: ended reply -> how far telling the webhook has come; lives a margin after the newest,
    and past the session's end while one of them is pending."""
    outbox: str
    """zset: `<session>:<reply>` of every pending delivery -> ms at which it is due; permanent."""
    search_fields: str
    """hash: session -> its model, JSON, and on the next line its name, folded; permanent."""
    search_index: str
    """set: the same with the session on a third line, for Redis to search; permanent."""


def partition(session_id: str) -> int:
    """Return the number of the session's partition."""
    return crc32(session_id.encode()) % chat_settings.PARTITIONS


@lru_cache(maxsize=4096)
def _session_keys(session_id: str, tag: int) -> SessionKeys:
    def own(noun: str) -> str:
        return f"chat:{{{tag}}}:{noun}:{session_id}"

    return SessionKeys(
        session=own("session"),
        messages=own("messages"),
        partial=own("partial"),
        events=own("events"),
        idempotency=own("idem"),
        due=due(tag),
        by_activity=by_activity(tag),
        counts=counts(tag),
        waiting=waiting(tag),
        running=running(tag),
        counters=counters(tag),
        last_hour=last_hour(tag),
        deliveries=own("deliveries"),
        outbox=outbox(tag),
        search_fields=search_fields(tag),
        search_index=search_index(tag),
    )


def for_session(session_id: str) -> SessionKeys:
    """Return the keys of a session and of its partition."""
    return _session_keys(session_id, partition(session_id))


def due(tag: int) -> str:
    """zset, permanent; see `SessionKeys.due`."""
    return f"chat:{{{tag}}}:due"


def by_activity(tag: int) -> str:
    """zset, permanent; see `SessionKeys.index`."""
    return f"chat:{{{tag}}}:index"


def counts(tag: int) -> str:
    """hash, permanent; see `SessionKeys.counts`."""
    return f"chat:{{{tag}}}:counts"


def waiting(tag: int) -> str:
    """zset, permanent; see `SessionKeys.waiting`."""
    return f"chat:{{{tag}}}:waiting"


def running(tag: int) -> str:
    """zset, permanent; see `SessionKeys.running`."""
    return f"chat:{{{tag}}}:running"


def counters(tag: int) -> str:
    """hash, permanent; see `SessionKeys.tally`."""
    return f"chat:{{{tag}}}:tally"


def last_hour(tag: int) -> str:
    """hash, two hours; see `SessionKeys.recent`."""
    return f"chat:{{{tag}}}:recent"


def outbox(tag: int) -> str:
    """zset, permanent; see `SessionKeys.outbox`."""
    return f"chat:{{{tag}}}:outbox"


def finished_deliveries(tag: int) -> tuple[str, str]:
    """zset, zset: `<session>:<reply> <status> <tries> <last answer>` -> ms of its end.

    The newest deliveries that were taken, and those that were not; they live for a margin, so past
    their sessions.
    """
    return f"chat:{{{tag}}}:delivered", f"chat:{{{tag}}}:failed"


def search_fields(tag: int) -> str:
    """hash, permanent; see `SessionKeys.facets`."""
    return f"chat:{{{tag}}}:facets"


def search_index(tag: int) -> str:
    """set, permanent; see `SessionKeys.names`."""
    return f"chat:{{{tag}}}:names"


def rate_limit(scope: str, caller: str) -> str:
    """string: a caller's pace; lives as long as it holds the caller back."""
    return f"chat:rate:{scope}:{caller}"


def limiter(model: str) -> tuple[str, str, str, str]:
    """hash, zset, zset, set: a model's gate, the slots taken, the line of waiters, whose calls have
    failed since the model was last heard; live while used.
    """
    tag = f"chat:{{gate:{model}}}"
    return tag, f"{tag}:slots", f"{tag}:line", f"{tag}:failed"


def workers() -> str:
    """hash: worker -> its last sign of life, JSON; lives while any worker does."""
    return "chat:workers"
