"""Every key that Parley stores in Redis, with its type and lifetime.

All keys of a session contain the hash tag of its partition, so each script touches one slot and
works on Redis Cluster.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from chat.domain.identity import PARTITION_DIGITS
from chat.settings import chat_settings

ID_PREFIX = "ses_"
# The keys of one session; their names end with its id.
OWN_KEYS = ("session", "messages", "partial", "log", "events", "idempotency", "deliveries", "files")


class SessionKeys(NamedTuple):
    """KEYS of every script that acts on a session, in this order: those that it uses.

    Those of `OWN_KEYS` belong to the session, and the others to its partition. These are permanent
    unless noted.
    """

    # hash: the session's fields, see lua/lib/session.lua. Lives until `expires_at` plus a margin,
    # as do the next five.
    session: str
    # hash: message number -> JSON. Of an open turn also `<reply>:request` -> deadline, options and
    # request id. Of a reply also `<reply>:params`, see lua/lib/params.lua, and `<reply>:items`, its
    # reasoning, see lua/lib/output.lua.
    messages: str
    # string: output of the running reply, see lua/lib/output.lua.
    partial: str
    # list, capped: the event log, see lua/lib/event_lines.lua.
    log: str
    # stream: the events that an older version has appended to the log. The channel for pub/sub has
    # the same name.
    events: str
    # hash: idempotency key -> digest of the request, and data to rebuild the first response.
    idempotency: str
    # zset: every live session -> ms at which a worker must check it.
    due: str
    # zset: every live session -> ms of its last activity.
    by_activity: str
    # hash: sessions, queued and running turns, sessions per model; accepted turns and webhook
    # attempts.
    counts: str
    # zset: session with queued turns and none running -> ms since when.
    waiting: str
    # zset: session with a running turn -> ms since when.
    running: str
    # hash: turns by status and model, tokens, errors, latency buckets; never reset.
    counters: str
    # hash: outcomes and latencies of the last hour; lives for two hours.
    last_hour: str
    # hash: delivery records, see lua/lib/outbox.lua. Lives a margin after the newest one, and
    # beyond the session while a delivery is pending.
    deliveries: str
    # zset: `<session>:<reply>` of every pending delivery -> ms at which it is due.
    outbox: str
    # hash: session -> its model, name and openers, see lua/lib/search_index.lua.
    search_fields: str
    # set: its model, name and id, on a line each, for SSCAN with a pattern.
    search_index: str
    # zset of score 0: `<label> <session>`, see lua/lib/labels.lua.
    labels: str
    # zset: `<session> <reply> <rating>` -> ms at which the reply was rated.
    ratings: str
    # hash: id of a file -> its content; `<id>:description` -> JSON. Lives as the session does.
    files: str
    # zset: party -> its queued turns, only while it has any; `ip:` -> those of all addresses.
    waiting_by_party: str


class LimiterKeys(NamedTuple):
    """KEYS of the scripts that act on a model's limiter; expire while unused.

    `lua/lib/limiter/keys.lua` describes them.
    """

    # hash: rates, and the parties that called last.
    limiter: str
    # hash: circuits of the model and its parties, and what a Retry-After blocks.
    health: str
    # zset: caller with a slot -> ms at which its lease ends.
    slots: str
    # zset, in lexical order: waiting sessions, and their owners, parties and classes.
    queue: str
    # hash: the slot time that these have used.
    tags: str
    # zset: waiting session -> ms at which it retries.
    waiters: str
    # hash: waiting session -> its ticket, tokens and caller.
    places: str


def partition_of(session_id: str) -> int:
    """Return the number of the session's partition.

    The first 16 bits of the id, scaled to the number of partitions: with 16 partitions it is the
    first hex digit, with 256 the first two. All sessions of a user share these bits.
    """
    first, last = len(ID_PREFIX), len(ID_PREFIX) + PARTITION_DIGITS
    try:
        number = int(session_id[first:last], 16)
    except ValueError:  # no session has this id, so any partition will do
        return 0
    return number * chat_settings.PARTITIONS >> 4 * PARTITION_DIGITS


def _of_partition(noun: str) -> Callable[[int], str]:
    """Return the function that returns this key of a partition; `SessionKeys` describes it."""
    return lambda partition: f"chat:{{{partition}}}:{noun}"


due = _of_partition("due")
by_activity = _of_partition("by_activity")
counts = _of_partition("counts")
waiting = _of_partition("waiting")
running = _of_partition("running")
counters = _of_partition("counters")
last_hour = _of_partition("last_hour")
outbox = _of_partition("outbox")
search_fields = _of_partition("search_fields")
search_index = _of_partition("search_index")
labels = _of_partition("labels")
ratings = _of_partition("ratings")
waiting_by_party = _of_partition("waiting_by_party")


def for_session(session_id: str) -> SessionKeys:
    """Return the keys of a session and of its partition."""
    return _session_keys(session_id, partition_of(session_id))


@lru_cache(maxsize=4096)
def _session_keys(session_id: str, partition: int) -> SessionKeys:
    suffixes = dict.fromkeys(OWN_KEYS, f":{session_id}")
    nouns = SessionKeys._fields
    return SessionKeys(*(f"chat:{{{partition}}}:{noun}{suffixes.get(noun, '')}" for noun in nouns))


def finished_deliveries(partition: int) -> tuple[str, str]:
    """Return two zsets: `<session>:<reply> <status> <attempts> <code>` -> ms of its end.

    The first has deliveries that succeeded, the second those that failed. Only the newest are
    kept; they live for a margin, so they outlive their sessions.
    """
    return f"chat:{{{partition}}}:deliveries_succeeded", f"chat:{{{partition}}}:deliveries_failed"


def rate_limit(group: str, scope: str, caller: str) -> str:
    """Return a string: a theoretical arrival time, ms; expires once it has passed.

    The limits of a group are in one slot.
    """
    return f"chat:rate_limit:{{{group}}}:{scope}:{caller}"


def repeated_request(digest: str) -> str:
    """Return a string: `<first request> <last request> <flag>` of equal requests; lives 10 minutes.

    The flag is 1 until the client has sent one without saying that it repeats another.
    """
    return f"chat:repeated_request:{digest}"


def quota(holder: str, group: str) -> str:
    """Return a hash, see lua/lib/quota.lua; expires when its sessions have.

    The quotas of all addresses of a network, and of all users of a tenant, are in one slot.
    """
    return f"chat:{{{group}}}:quota:{holder}"


# All budgets are in one slot.
_BUDGETS = "chat:{budgets}:"


def budget(name: str) -> str:
    """Return a hash, see lua/lib/budgets.lua; lives a day longer than its period.

    The counters for the metrics, whose period is `ever`, are permanent.
    """
    return _BUDGETS + name


def budget_name(key: str) -> str:
    """Return the name of the budget that has this key."""
    return key.removeprefix(_BUDGETS)


def budget_reservations() -> str:
    """Return a hash: the reservations of calls in progress; permanent while there are any."""
    return f"{_BUDGETS}reservations"


def key_budgets() -> str:
    """Return a hash: API key -> its budgets, see `store.budgets.set_key_limits`; permanent."""
    return f"{_BUDGETS}api_keys"


def budget_checks() -> str:
    """Return a zset: reservation -> ms at which a worker must check it; lives as long."""
    return f"{_BUDGETS}checks"


def exceeded_budgets() -> str:
    """Return a zset: exceeded budget -> ms at which its period ends; expires with the last one."""
    return f"{_BUDGETS}exceeded"


def known_login(account: str, address: str) -> str:
    """Return a string that exists while the account has logged in from the address; has a TTL."""
    return f"chat:known_login:{account}:{address}"


def api_keys() -> str:
    """Return a hash: id of an API key -> the key, JSON; permanent."""
    return "chat:api_keys"


def api_keys_duplicate() -> str:
    """Return a hash with the same content, on a Cluster only; permanent.

    Its slot is half of all slots away from that of `api_keys`, so another node has it.
    """
    return "chat:api_keys:duplicate"


def api_keys_last_used() -> str:
    """Return a hash: id of an API key -> seconds since the epoch; permanent."""
    return "chat:api_keys:last_used"


def bans() -> str:
    """Return a hash: subject -> its ban, JSON; and a `version` that changes with it; permanent."""
    return "chat:bans"


def audit() -> str:
    """Return a stream, capped: what staff and commands did; permanent.

    Older versions also add what API keys and users did.
    """
    return "chat:audit"


def client_audit() -> str:
    """Return a stream, capped: what API keys and users did; permanent."""
    return "chat:audit:clients"


def limiter(model: str) -> LimiterKeys:
    """Return the keys of a model's limiter.

    Older versions have the sorted sets `slots` and `waiters` with other members.
    """
    prefix = f"chat:{{model:{model}}}"
    return LimiterKeys(
        limiter=f"{prefix}:limiter",
        health=f"{prefix}:health",
        slots=f"{prefix}:calls",
        queue=f"{prefix}:queue",
        tags=f"{prefix}:tags",
        waiters=f"{prefix}:retries",
        places=f"{prefix}:places",
    )


def workers() -> str:
    """Return a hash: worker -> its last heartbeat, JSON; lives while any worker does."""
    return "chat:workers"


def deployment() -> str:
    """Return a hash: facts that all processes share; permanent.

    `partitions` is the number of partitions; lib/clock_record.lua has the other fields.
    """
    return "chat:deployment"


def rollups() -> str:
    """Return a hash: hour since the epoch -> counters at its start, for 30 days; permanent."""
    return "chat:rollups"


def ping(ping_id: str) -> str:
    """Return a string: the worker that answered a ping of doctor; lives for a minute."""
    return f"chat:ping:{ping_id}"
