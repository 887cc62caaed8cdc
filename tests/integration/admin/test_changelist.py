"""The list of sessions: order, search, filters, and what they cost."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import cycle, product
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from django.core.management import call_command
from django.db import NotSupportedError
from django.db.models import Q
from django.test import Client
from redis import Redis

from chat.admin.models import Message, Session
from chat.conversation import session_search, staff
from chat.conversation.session_search import SessionFilter
from chat.domain import Caller
from chat.settings import chat_settings
from chat.store import due, keys, listing, sessions
from chat.store.listing import TimeRange
from chat.store.search import reindex
from tests.harness.redis_cluster import needs_one_server, require_one_server
from tests.integration.admin.costs import redis_commands, round_trips
from tests.integration.admin.sessions import LIST, open_session, post_message, session_path
from tests.integration.api import fake_worker

# Last activity of the session 0, in ms. Each further session was active one second later.
FIRST = 1_700_000_000_000
SEED = """
local count = #KEYS / 4
for i = 1, #ARGV, 3 do
  redis.call('ZADD', KEYS[ARGV[i] + 1], ARGV[i + 2], ARGV[i + 1])
  local key = 'chat:{' .. ARGV[i] .. '}:session:' .. ARGV[i + 1]
  redis.call('HSET', key, 'schema', 2, 'created_at', ARGV[i + 2],
    'last_active_at', ARGV[i + 2], 'expires_at', '9999999999999',
    'system_prompt', 'null', 'context', '{}', 'metadata', '{}',
    'name', '"number ' .. ARGV[i + 1] .. '"', 'model', '"default"',
    'tail', 0, 'first_message', 1, 'running_turn', 0, 'waiting', 0)
  local entry = '"default"\\nnumber ' .. ARGV[i + 1]
  redis.call('HSET', KEYS[ARGV[i] + count + 1], ARGV[i + 1], entry)
  local is_new = redis.call('SADD', KEYS[ARGV[i] + 2 * count + 1], entry .. '\\n' .. ARGV[i + 1])
  redis.call('HINCRBY', KEYS[ARGV[i] + 3 * count + 1], 'model:"default"', is_new)
  redis.call('EXPIRE', key, 600)
end
"""


def id_of(number: int) -> str:
    """Return an id. Its first digits decide the partition, so they are spread."""
    return f"ses_{number * 40_503 % 65_536:04x}{number:020x}"


def seed(redis: Redis, count: int) -> None:
    """Create sessions in Redis directly, with a script that writes to all partitions."""
    require_one_server()
    kinds = (keys.by_activity, keys.search_fields, keys.search_index, keys.counts)
    lists = [key(partition) for key in kinds for partition in range(chat_settings.PARTITIONS)]
    for start in range(0, count, 2000):
        flat: list[str | int] = []
        for number in range(start, min(count, start + 2000)):
            session_id = id_of(number)
            flat += (keys.partition_of(session_id), session_id, FIRST + 1000 * number)
        redis.eval(SEED, len(lists), *lists, *flat)


def listed(client: Client, query: str = "") -> list[str]:
    """Return the ids on the page, in order."""
    response = client.get(LIST + query)
    assert response.status_code == 200
    return [session.pk for session in response.context["cl"].result_list]


def test_list_is_sorted_by_activity_across_partitions(redis: Redis, admin: Client) -> None:
    seed(redis, 120)
    assert listed(admin) == [id_of(n) for n in range(119, 69, -1)]
    assert listed(admin, "?p=3") == [id_of(n) for n in range(19, -1, -1)]


@pytest.mark.thorough
def test_page_costs_the_same_at_100000_sessions(redis: Redis, admin: Client) -> None:
    queries = ["q=nobody", "q=ses_f", "status=idle", "status=running", "model=default", "model=x"]
    paths = [
        LIST,
        f"{LIST}?q={id_of(500)}",
        *(f"{LIST}?{each}" for each in (*queries, "model=default&status=idle&activity=over-7d")),
        "/admin/operations/",
        session_path(id_of(500)),
    ]
    seed(redis, 1500)

    def costs() -> dict[str, tuple[int, int]]:
        return {
            path: (round_trips(admin, path), redis_commands(redis, admin, path)) for path in paths
        }

    assert round_trips(admin, LIST) == 3  # the count, the ids, the rows
    few = costs()
    assert max(trips for trips, _ in few.values()) <= 16 + 4  # one scan per partition
    assert max(executed for _, executed in few.values()) < 10 * chat_settings.PARTITIONS
    redis.flushall()
    seed(redis, 100_000)
    assert costs() == few
    pages = ("", "?p=1000", "?activity=over-7d&p=1900")
    trips = [round_trips(admin, LIST + page) for page in pages]
    assert trips[0] == 3
    assert max(trips) <= 10
    assert listed(admin, "?p=1000") == [id_of(n) for n in range(50_049, 49_999, -1)]
    assert listed(admin, "?p=2000") == [id_of(n) for n in range(49, -1, -1)]
    ids = {id_of(n) for n in (0, 50_000, 99_999)}
    assert {listed(admin, f"?q={each}")[0] for each in ids} == ids
    assert round_trips(admin, f"{LIST}?q={id_of(50_000)}") <= 3
    check_search(admin)
    redis.flushall()  # or the check for keys without a TTL takes longer than the test


def check_search(admin: Client) -> None:
    """Check that search and filters find all of 100,000 sessions."""
    assert listed(admin, f"?q=NUMBER+{id_of(7)}") == [id_of(7)]
    assert listed(admin, "?q=0000000000000001") == [id_of(n) for n in range(0x1869F, 0x1866D, -1)]
    for query in ("model=default", "status=idle", "activity=over-1d&model=default"):
        changelist = admin.get(f"{LIST}?{query}").context["cl"]
        assert changelist.result_count == 100_000
        assert [each.pk for each in changelist.result_list][-1] == id_of(99_950)
    assert listed(admin, "?model=default&p=1000") == [id_of(n) for n in range(50_049, 49_999, -1)]
    assert listed(admin, "?status=idle&p=2000") == [id_of(n) for n in range(49, -1, -1)]


def test_page_offset_is_exact_for_any_distribution(redis: Redis) -> None:
    seed(redis, 10_000)
    redis.zadd(keys.by_activity(3), {f"ses_{n:024x}": FIRST + n for n in range(20_000, 20_500)})
    scores: dict[str, float] = {}
    for partition in range(chat_settings.PARTITIONS):
        entries: Any = redis.zrange(keys.by_activity(partition), 0, -1, withscores=True)
        scores |= {session_id.decode(): score for session_id, score in entries}
    latest = sorted(scores.values(), reverse=True)
    span = TimeRange(since=FIRST / 1000 + 2000, until=FIRST / 1000 + 8000)
    assert listing.count(span) == 6000
    for offset in (0, 15, 16, 17, 100, 999, 5000, 9_990, 10_000):
        found = listing.page(offset=offset, limit=20)
        assert [scores[each] for each in found] == latest[offset : offset + 20]
        within = listing.page(offset=offset, limit=20, time_range=span)
        assert within == [id_of(7999 - n) for n in range(offset, min(offset + 20, 6000))]
    redis.flushall()


def test_activity_filter_uses_the_index(redis: Redis, admin: Client) -> None:
    seed(redis, 3)
    fresh = open_session()
    assert listed(admin, "?activity=5m") == [fresh]
    assert listed(admin, "?activity=over-7d") == [id_of(2), id_of(1), id_of(0)]
    assert len(listed(admin)) == 4


def test_sessions_are_filtered_by_status_and_model(admin: Client) -> None:
    idle, waiting, running = open_session("Ada"), open_session("Ada"), open_session("Bob")
    post_message(waiting)
    post_message(running)
    fake_worker.claim_turn(running)
    assert listed(admin, "?status=running") == [running]
    assert listed(admin, "?status=waiting") == [waiting]
    assert listed(admin, "?status=idle") == [idle]
    assert listed(admin, "?status=waiting&q=ada") == [waiting]
    assert listed(admin, "?status=running&q=ada") == []
    assert listed(admin, f"?status=idle&q={running}") == []
    assert listed(admin, "?status=running&activity=over-1h") == []
    assert len(listed(admin, "?status=sleeping")) == 3
    assert listed(admin, "?model=default&status=running&activity=5m") == [running]
    sessions.update(Caller.internal(idle), b"{}", {"model": b'"other"'}, None)
    assert listed(admin, "?model=other") == [idle]
    assert listed(admin, "?model=other&status=idle&q=A") == [idle]
    assert listed(admin, "?model=other&status=waiting") == []
    assert set(listed(admin, "?model=default")) == {waiting, running}


def test_running_session_is_found_among_many_newer_ones(redis: Redis, admin: Client) -> None:
    running = open_session()
    post_message(running)
    fake_worker.claim_turn(running)
    redis.zadd(keys.for_session(running).by_activity, {running: 1})
    seed(redis, 1100)
    assert listed(admin, "?status=running") == [running]
    idle = admin.get(f"{LIST}?status=idle").context["cl"]
    assert (len(idle.result_list), idle.result_count) == (50, 1100)
    assert admin.get(f"{LIST}?status=idle&model=default").context["cl"].result_count == 1100
    assert listed(admin, "?status=idle&p=22") == [id_of(n) for n in range(49, -1, -1)]


def test_action_skips_sessions_that_no_longer_match_the_filter(admin: Client) -> None:
    running, idle = open_session(), open_session()
    post_message(running)
    fake_worker.claim_turn(running)
    form = {"action": "cancel", "_selected_action": [running, idle]}
    html = admin.post(f"{LIST}?status=running", form, follow=True).content.decode()
    # Django capitalizes the id.
    assert f"{running[3:]}: Requested cancellation of the running turn." in html
    assert f"{idle[3:]}: " not in html


def test_search_finds_ids_prefixes_and_parts_of_names(admin: Client) -> None:
    ada, bob = open_session("Ada and the Engine"), open_session("Bob")
    assert listed(admin, f"?q={ada}") == [ada]
    assert bob in listed(admin, f"?q={bob[:12]}")
    assert listed(admin, "?q=the+engine") == [ada]
    assert listed(admin, "?q=nobody") == []


@needs_one_server
@pytest.mark.security("S10")
@pytest.mark.parametrize("pattern", ["*", "ses_*", "?", "[a-z]", "%", "\\", "{0}", "\r\nFLUSHALL"])
def test_search_treats_patterns_as_text(redis: Redis, admin: Client, pattern: str) -> None:
    session_id = open_session("Ada")
    redis.config_resetstat()
    assert admin.get(LIST, {"q": pattern}).context["cl"].result_count == 0
    executed = set(redis.info("commandstats"))
    assert not executed & {"cmdstat_scan", "cmdstat_keys", "cmdstat_flushall"}
    assert redis.exists(keys.for_session(session_id).session)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Ada and the Engine", "THE ENG"),
        ("STRASSE", "stra\N{LATIN SMALL LETTER SHARP S}e"),
        ("Cafe\N{COMBINING ACUTE ACCENT}", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"),
        ("two\n lines", "two lines"),
        ("100% [sure]*", "% [SURE]*"),
        ('a "quote" and a \\', '"quote" and a \\'),
        ("a-z^", "-z^"),
        ("ses_sion of Ada", "ses_sion"),
    ],
)
def test_part_of_a_name_is_found_in_any_spelling(admin: Client, name: str, text: str) -> None:
    named, other = open_session(name), open_session("another")
    found = admin.get(LIST, {"q": text}).context["cl"].result_list
    assert [each.pk for each in found] == [named]
    sessions.update(Caller.internal(other), b"{}", {"name": orjson.dumps(name)}, None)
    sessions.update(Caller.internal(named), b"{}", {"name": b'""'}, None)
    found = admin.get(LIST, {"q": text, "model": "default", "status": "idle"}).context["cl"]
    assert [each.pk for each in found.result_list] == [other]


@pytest.mark.thorough
def test_search_pages_are_exact_for_equal_activity_times(redis: Redis, admin: Client) -> None:
    seed(redis, 400)
    for partition in range(chat_settings.PARTITIONS):
        for session_id, _ in redis.zscan_iter(keys.by_activity(partition)):
            redis.zadd(keys.by_activity(partition), {session_id: FIRST}, xx=True)
    for query in ("q=number", "status=idle", "model=default&status=idle"):
        pages = [listed(admin, f"?{query}&p={number}") for number in range(1, 9)]
        ids = sorted(map(id_of, range(400)), reverse=True)
        assert pages == [ids[at : at + 50] for at in range(0, 400, 50)]


def test_model_filter_within_a_time_range_is_exact(redis: Redis) -> None:
    seed(redis, 3000)
    others = [id_of(n) for n in range(0, 3000, 7)]
    for each in others:
        redis.hset(keys.for_session(each).session, "model", '"other"')
    reindex.index_sessions(others)
    for edge, model in product((60, 900, 2100, 2940), ("default", "other")):
        newer, older = TimeRange(since=FIRST / 1000 + edge), TimeRange(until=FIRST / 1000 + edge)
        for span, numbers in ((newer, range(2999, edge - 1, -1)), (older, range(edge - 1, -1, -1))):
            expected = [id_of(n) for n in numbers if (n % 7 == 0) is (model == "other")]
            found = session_search.search(SessionFilter(model=model, time_range=span))
            assert len(found) == len(expected)
            for offset in (0, 60, max(0, len(expected) - 30)):
                rows = found.page(offset=offset, limit=50)
                assert [row.id for row in rows] == expected[offset : offset + 50]
    redis.flushall()


@pytest.mark.security("S41")
@pytest.mark.parametrize("end", [staff.delete, staff.expire])
def test_ended_session_is_not_found(
    redis: Redis, admin: Client, end: Callable[[str], None]
) -> None:
    session_id = open_session("Ada")
    end(session_id)
    due.recover([session_id], grace=1)
    for query in ("", "?q=ada", "?model=default", "?status=idle", f"?q={session_id[:10]}"):
        assert listed(admin, query) == []
    assert admin.get(LIST + "?model=default").context["cl"].result_count == 0
    left = {key: redis.type(key) for key in redis.scan_iter() if session_id.encode() in key}
    assert left == {}
    assert not any(
        redis.exists(keys.search_fields(partition), keys.search_index(partition))
        for partition in range(chat_settings.PARTITIONS)
    )


def test_reindex_makes_sessions_of_earlier_versions_searchable(redis: Redis, admin: Client) -> None:
    named = [open_session(f"Ada {n}") for n in range(3)]
    gone = open_session("Ada, who is gone")
    for partition in range(chat_settings.PARTITIONS):
        redis.delete(keys.search_fields(partition), keys.search_index(partition))
        redis.hdel(keys.counts(partition), 'model:"default"')
    redis.delete(keys.for_session(gone).session)
    redis.zrem(keys.for_session(gone).by_activity, gone)
    redis.hset(keys.for_session(gone).search_fields, gone, '"default"\nada, who is gone')
    redis.hincrby(keys.for_session(gone).counts, 'model:"default"', 1)
    html = admin.get(f"{LIST}?q=ada").content.decode()
    assert "missing from the search index" in html
    out = io.StringIO()
    call_command("reindex", stdout=out)
    assert out.getvalue() == "Rebuilt the search index: it has 3 sessions.\n"
    for _ in range(2):
        # Some may have been opened in the same ms.
        assert set(listed(admin, "?q=ada")) == set(listed(admin, "?model=default")) == set(named)
        call_command("reindex")
    assert "missing from the search index" not in admin.get(f"{LIST}?q=ada").content.decode()
    assert admin.get(LIST + "?model=default").context["cl"].result_count == 3


def test_action_on_too_many_sessions_is_rejected(redis: Redis, admin: Client) -> None:
    seed(redis, 1100)
    form = {"action": "expire", "select_across": "1", "_selected_action": id_of(1)}
    response = admin.post(LIST, form, follow=True)
    assert "Actions apply to at most 1,000 sessions" in response.content.decode()


def test_unsupported_filter_is_rejected(admin: Client) -> None:
    open_session("Ada")
    assert admin.get(LIST + "?name__contains=A")["Location"].endswith("?e=1")


INVALID_VALUES = ("", "-1", "9" * 40, "\x00", "\ud800", "1.5", "x", "%[*'", "\u0661", "a" * 3000)


@pytest.mark.parametrize(
    "name",
    [
        *("o", "p", "q", "e", "all", "ot", "status", "model", "activity", "id", "id__exact"),
        *("id__in", "pk__in", "pk", "last_active_at__gte", "last_active_at__lt", "last_active_at"),
        *(
            "status__exact",
            "name__contains",
            "_popup",
            "_to_field",
            "_facets",
            "_changelist_filters",
        ),
        *("id__isnull", "running", "waiting__gte", "__", "nosuch", "p.", "o.-1", "wanted"),
    ],
)
@pytest.mark.parametrize(
    "values", [INVALID_VALUES[:5], pytest.param(INVALID_VALUES[5:], marks=pytest.mark.thorough)]
)
def test_no_query_string_causes_an_error(admin: Client, name: str, values: tuple[str, ...]) -> None:
    open_session("Ada")
    for value, more in zip(values, cycle(("", "&q=ada&status=idle&p=2")), strict=False):
        query = urlencode({name: value.encode(errors="surrogatepass")})
        response = admin.get(f"{LIST}?{query}{more}")
        assert response.status_code in {200, 302, 400}, (query, more)


def test_order_in_the_query_string_is_ignored(redis: Redis, admin: Client) -> None:
    seed(redis, 3)
    for query in ("o=1", "o=-2", "o=2.-1", "o=99", "o=x"):
        assert listed(admin, f"?{query}") == [id_of(2), id_of(1), id_of(0)]


def test_query_sets_reject_unsupported_operations() -> None:
    open_session()
    query_set = Session.objects.all()
    for operation in (
        lambda: query_set.filter(name="Ada"),
        lambda: query_set.filter(Q(pk="a") | Q(pk="b")),
        lambda: query_set.filter(~Q(pk="a")),
        lambda: query_set.exclude(pk="a"),
        lambda: query_set.order_by("name"),
        lambda: query_set.values("name"),
        query_set.annotate,
        lambda: query_set.update(name="Bob"),
        lambda: Session.objects.create(id="ses_x"),
        lambda: Session(id="ses_x").save(),
        lambda: Session(id="ses_x").delete(),
        lambda: list(Message.objects.all()),
        lambda: list(Message.objects.filter(session="x", number__gt=1).order_by("-number")),
    ):
        with pytest.raises(NotSupportedError):
            operation()


def test_query_sets_filter_slice_count_and_delete() -> None:
    first, second = open_session("first"), open_session("second")
    query_set = Session.objects.all()
    assert query_set.count() == len(query_set) == 2
    assert query_set.exists()
    assert Session.objects.get(pk=first).name == "first"
    # Both may have been opened in the same millisecond, so neither comes first.
    both = query_set.filter(pk__in=[first, second, "ses_x"])
    assert {each.pk for each in both} == {first, second}
    late = datetime.now(tz=UTC).replace(year=2099)
    assert not query_set.filter(Q(), Q(last_active_at__gte=late)).exists()
    newest, oldest = query_set.filter(last_active_at__lt=late)
    assert [each.pk for each in query_set.filter(last_active_at__lt=late)[1:2]] == [oldest.pk]
    assert newest.pk != oldest.pk
    with pytest.raises(Session.DoesNotExist):
        Session.objects.get(pk="no such session")
    assert not Message.objects.filter(pk=f"{first}/msg_1").exists()
    assert query_set.filter(pk=first).delete() == (1, {"chat.Session": 1})
    assert session_search.get_many([Caller.internal(first).session_id]) == []
