"""The list of sessions: its order, its search, its filters, and what each costs."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import NotSupportedError
from django.db.models import Q
from django.test import Client
from redis import Redis

from chat.domain import Caller
from chat.models import Message, Session
from chat.services import choosing
from chat.services.choosing import SEARCHED
from chat.store import keys, listing
from chat.store.listing import Span
from tests.integration.admin.scene import LIST, asked, commands, cost, opened, page
from tests.integration.api import turns

FIRST = 1_700_000_000_000
"""Ms at which the oldest of many sessions was active; each of the others a second after another."""
SEED = """
for i = 1, #ARGV, 3 do
  redis.call('ZADD', KEYS[ARGV[i] + 1], ARGV[i + 2], ARGV[i + 1])
  local key = 'chat:{' .. ARGV[i] .. '}:session:' .. ARGV[i + 1]
  redis.call('HSET', key, 'v', 1, 'created', ARGV[i + 2], 'active', ARGV[i + 2], 'expires',
    '9999999999999', 'system_prompt', 'null', 'context', '{}', 'metadata', '{}',
    'name', '"number ' .. ARGV[i + 1] .. '"', 'model', '"default"', 'tail', 0, 'first', 1,
    'turn', 0, 'waiting', 0)
  redis.call('EXPIRE', key, 600)
end
"""


def id_of(number: int) -> str:
    return f"ses_{number:024x}"


def many(redis: Redis, count: int) -> None:
    """Put so many sessions into Redis: session n was active n seconds after session 0."""
    indexes = [keys.index(tag) for tag in range(16)]
    for start in range(0, count, 2000):
        flat: list[str | int] = []
        for number in range(start, min(count, start + 2000)):
            session_id = id_of(number)
            flat += (keys.partition(session_id), session_id, FIRST + 1000 * number)
        redis.eval(SEED, 16, *indexes, *flat)


def shown(client: Client, query: str = "") -> list[str]:
    """Return the ids in the order of the list."""
    answer = client.get(LIST + query)
    assert answer.status_code == 200
    return [session.pk for session in answer.context["cl"].result_list]


def test_it_is_ordered_by_activity_over_all_partitions(redis: Redis, admin: Client) -> None:
    many(redis, 120)
    assert shown(admin) == [id_of(n) for n in range(119, 69, -1)]
    assert shown(admin, "?p=3") == [id_of(n) for n in range(19, -1, -1)]


def test_a_page_costs_as_many_round_trips_at_100000_sessions(redis: Redis, admin: Client) -> None:
    paths = [
        LIST,
        f"{LIST}?q={id_of(500)}",
        *(f"{LIST}?{each}" for each in ("q=nobody", "status=idle", "status=running", "model=x")),
        "/admin/operations/",
        page(id_of(500)),
    ]
    many(redis, 1500)
    assert cost(admin, LIST) == 3  # the count, the ids, the rows
    few = {path: (cost(admin, path), commands(redis, admin, path)) for path in paths}
    assert max(trips for trips, _ in few.values()) <= 5
    assert max(sent for _, sent in few.values()) < 1200
    redis.flushall()
    many(redis, 100_000)
    assert {path: (cost(admin, path), commands(redis, admin, path)) for path in paths} == few
    queries = ("", "?p=1000", "?activity=over-7d&p=1900")
    costs = [cost(admin, LIST + query) for query in queries]
    assert costs[0] == 3
    assert max(costs) <= 10
    assert shown(admin, "?p=1000") == [id_of(n) for n in range(50_049, 49_999, -1)]
    assert shown(admin, "?p=2000") == [id_of(n) for n in range(49, -1, -1)]
    ids = {id_of(n) for n in (0, 50_000, 99_999)}
    assert {shown(admin, f"?q={each}")[0] for each in ids} == ids
    assert cost(admin, f"{LIST}?q={id_of(50_000)}") <= 3
    redis.flushall()  # looking for keys without a TTL among so many takes longer than the test


@pytest.mark.parametrize("offset", [0, 15, 16, 17, 100, 999, 5000, 9_990, 10_000])
def test_the_place_of_a_page_is_exact_wherever_sessions_lie(redis: Redis, offset: int) -> None:
    many(redis, 10_000)
    redis.zadd(keys.index(3), {f"ses_{n:024x}": FIRST + n for n in range(20_000, 20_500)})
    scores: dict[str, float] = {}
    for tag in range(16):
        entries: Any = redis.zrange(keys.index(tag), 0, -1, withscores=True)
        scores |= {session_id.decode(): score for session_id, score in entries}
    latest = sorted(scores.values(), reverse=True)
    found = listing.page(offset=offset, limit=20)
    assert [scores[each] for each in found] == latest[offset : offset + 20]
    span = Span(since=FIRST / 1000 + 2000, until=FIRST / 1000 + 8000)
    assert listing.count(span) == 6000
    within = listing.page(offset=offset, limit=20, span=span)
    assert within == [id_of(7999 - n) for n in range(offset, min(offset + 20, 6000))]
    redis.flushall()


def test_the_age_of_the_activity_is_filtered_by_the_index(redis: Redis, admin: Client) -> None:
    many(redis, 3)
    fresh = opened()
    assert shown(admin, "?activity=5m") == [fresh]
    assert shown(admin, "?activity=over-7d") == [id_of(2), id_of(1), id_of(0)]
    assert len(shown(admin)) == 4


def test_sessions_are_filtered_by_status_and_model(redis: Redis, admin: Client) -> None:
    idle, waiting, running = opened("Ada"), opened("Ada"), opened("Bob")
    asked(waiting, "a question")
    asked(running, "a question")
    turns.take(running)
    assert shown(admin, "?status=running") == [running]
    assert shown(admin, "?status=waiting") == [waiting]
    assert shown(admin, "?status=idle") == [idle]
    assert shown(admin, "?status=waiting&q=ada") == [waiting]
    assert shown(admin, "?status=running&q=ada") == []
    assert shown(admin, f"?status=idle&q={running}") == []
    assert shown(admin, "?status=running&activity=over-1h") == []
    assert len(shown(admin, "?status=sleeping")) == 3
    assert shown(admin, "?model=default&status=running&activity=5m") == [running]
    redis.hset(keys.of(idle).session, "model", '"other"')
    assert shown(admin, "?model=other") == [idle]
    assert set(shown(admin, "?model=default")) == {waiting, running}


def test_who_runs_is_found_however_many_were_active_since(redis: Redis, admin: Client) -> None:
    running = opened()
    asked(running, "a question")
    turns.take(running)
    redis.zadd(keys.of(running).activity, {running: 1})
    many(redis, SEARCHED + 10)
    assert shown(admin, "?status=running") == [running]
    assert len(admin.get(f"{LIST}?status=idle").context["cl"].result_list) == 50
    assert admin.get(f"{LIST}?status=idle").context["cl"].result_count == SEARCHED
    html = admin.get(LIST).content.decode()
    for told in ("Running (1,000 longest)", "Idle (of the 1,000 latest)", "of the 1,000 latest"):
        assert told in html


def test_an_action_takes_of_the_chosen_those_that_still_meet_the_filter(admin: Client) -> None:
    running, idle = opened(), opened()
    asked(running, "a question")
    turns.take(running)
    told = {"action": "cancel", "_selected_action": [running, idle]}
    html = admin.post(f"{LIST}?status=running", told, follow=True).content.decode()
    assert f"{running[3:]}: Asked to cancel the running turn." in html  # after a capital
    assert f"{idle[3:]}: " not in html


def test_search_finds_ids_starts_of_ids_and_parts_of_names(admin: Client) -> None:
    ada, bob = opened("Ada and the Engine"), opened("Bob")
    assert shown(admin, f"?q={ada}") == [ada]
    assert bob in shown(admin, f"?q={bob[:12]}")
    assert shown(admin, "?q=the+engine") == [ada]
    assert shown(admin, "?q=nobody") == []


@pytest.mark.security("S10")
@pytest.mark.parametrize("pattern", ["*", "ses_*", "?", "[a-z]", "%", "\\", "{0}", "\r\nFLUSHALL"])
def test_a_pattern_is_only_text(redis: Redis, admin: Client, pattern: str) -> None:
    session_id = opened("Ada")
    redis.config_resetstat()
    assert admin.get(LIST, {"q": pattern}).context["cl"].result_count == 0
    asked = set(redis.info("commandstats"))
    assert not asked & {"cmdstat_scan", "cmdstat_keys", "cmdstat_hscan", "cmdstat_zscan"}
    assert redis.exists(keys.of(session_id).session)


@pytest.mark.security("S10")
def test_search_looks_at_so_many_and_says_so(redis: Redis, admin: Client) -> None:
    many(redis, SEARCHED + 50)
    assert shown(admin, f"?q=number+{id_of(10)}") == []
    assert shown(admin, f"?q=number+{id_of(SEARCHED)}") == [id_of(SEARCHED)]
    assert f"{SEARCHED:,} of the latest activity" in admin.get(LIST).content.decode()


def test_an_action_on_too_many_is_refused(redis: Redis, admin: Client) -> None:
    many(redis, 1100)
    told = {"action": "expire", "select_across": "1", "_selected_action": id_of(1)}
    answer = admin.post(LIST, told, follow=True)
    assert "Actions take 1,000 sessions at most" in answer.content.decode()


def test_a_filter_that_redis_cannot_serve_is_refused(admin: Client) -> None:
    opened("Ada")
    assert admin.get(LIST + "?name__contains=A")["Location"].endswith("?e=1")


def test_query_sets_refuse_what_they_cannot_do() -> None:
    opened()
    every = Session.objects.all()
    for refused in (
        lambda: every.filter(name="Ada"),
        lambda: every.filter(Q(pk="a") | Q(pk="b")),
        lambda: every.filter(~Q(pk="a")),
        lambda: every.exclude(pk="a"),
        lambda: every.order_by("name"),
        lambda: every.values("name"),
        every.annotate,
        lambda: every.update(name="Bob"),
        lambda: Session.objects.create(id="ses_x"),
        lambda: Session(id="ses_x").save(),
        lambda: Session(id="ses_x").delete(),
        lambda: list(Message.objects.all()),
        lambda: list(Message.objects.filter(session="x", number__gt=1).order_by("-number")),
    ):
        with pytest.raises(NotSupportedError):
            refused()


def test_query_sets_do_what_they_can() -> None:
    first, second = opened("first"), opened("second")
    every = Session.objects.all()
    assert every.count() == len(every) == 2
    assert every.exists()
    assert Session.objects.get(pk=first).name == "first"
    assert [each.pk for each in every.filter(pk__in=[first, second, "ses_x"])] == [second, first]
    late = datetime.now(tz=UTC).replace(year=2099)
    assert not every.filter(Q(), Q(last_active_at__gte=late)).exists()
    assert [each.pk for each in every.filter(last_active_at__lt=late)[1:2]] == [first]
    with pytest.raises(Session.DoesNotExist):
        Session.objects.get(pk="no such session")
    assert not Message.objects.filter(pk=f"{first}/msg_1").exists()
    assert every.filter(pk=first).delete() == (1, {"chat.Session": 1})
    assert choosing.find([Caller(session_id=first).session_id]) == []
