"""The feedback page: rated replies of all sessions, in a list and one by one."""

from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client
from redis import Redis

from chat.conversation import sessions, staff
from chat.conversation.messages import set_feedback
from chat.domain import Caller, Feedback, Rating
from chat.store import due, keys, ratings
from chat.store.ratings import RatedReply
from tests.integration.admin.active_content import find_active_content
from tests.integration.admin.costs import round_trips
from tests.integration.admin.sessions import open_session, post_message
from tests.integration.api import fake_worker

PAGE = "/admin/feedback/"


def rated_session(question: str, rating: Rating = Rating.DOWN, comment: str = "") -> str:
    """Open a session with a rated reply; return its id."""
    session_id = open_session()
    post_message(session_id, question)
    fake_worker.complete_turn(session_id, f"answer to {question}")
    rate(session_id, rating, comment)
    return session_id


def rate(session_id: str, rating: Rating | None, comment: str = "") -> None:
    feedback = Feedback(rating=rating, comment=comment) if rating else None
    set_feedback(Caller.internal(session_id), "msg_2", feedback)


def questions(client: Client, query: str = "") -> list[str]:
    entries = client.get(PAGE + query).context["entries"]
    return [row["entry"].question["content"] for row in entries]


def test_list_shows_ratings_newest_first(admin: Client) -> None:
    rated_session("one", comment="<b>Wrong</b>")
    rated_session("two", Rating.UP)
    rated_session("three")
    assert questions(admin) == ["three", "one"]
    assert questions(admin, "?rating=up") == ["two"]
    assert questions(admin, "?rating=all") == ["three", "two", "one"]
    html = admin.get(PAGE).content.decode()
    assert "&lt;b&gt;Wrong&lt;/b&gt;" in html
    assert find_active_content(html) == []


def follow(client: Client, query: str, direction: str) -> str:
    """Return the query string of a link of a page."""
    link = client.get(PAGE + query).context[direction]
    return f"?{unescape(link)}" if link else ""


def test_next_and_previous_lead_through_all(admin: Client) -> None:
    for number in range(4):
        rated_session(f"question {number}")
    query, seen = "?one=1", []
    while query:
        seen += questions(admin, query)
        last, query = query, follow(admin, query, "older")
    assert seen == [f"question {number}" for number in (3, 2, 1, 0)]
    assert questions(admin, follow(admin, last, "newer")) == ["question 1"]
    row = admin.get(PAGE).context["entries"][2]
    assert questions(admin, f"?{row['single']}") == ["question 1"]


def expire_and_sweep(session_id: str) -> None:
    staff.expire(session_id)
    due.recover(due.claim_due(), grace=2)


@pytest.mark.parametrize(
    "remove",
    [
        lambda each: rate(each, None),
        lambda each: sessions.reset(Caller.internal(each)),
        staff.delete,
        expire_and_sweep,
    ],
    ids=["unrated", "reset", "deleted", "expired"],
)
def test_removed_ratings_leave_no_trace(
    redis: Redis, admin: Client, remove: Callable[[str], object]
) -> None:
    session_id = rated_session("one")
    remove(session_id)
    partition = keys.partition_of(session_id)
    assert questions(admin) == []
    assert redis.zcard(keys.ratings(partition)) == 0
    assert redis.zrangebylex(keys.labels(partition), "[rated:", "(rated;") == []


def test_changed_rating_is_listed_once(admin: Client) -> None:
    session_id = rated_session("one")
    rate(session_id, Rating.UP)
    assert questions(admin) == []
    assert questions(admin, "?rating=all") == ["one"]


def test_pages_are_exact_for_equal_times_and_rare_ratings(redis: Redis) -> None:
    members = {f"ses_{n:024x} 2 {'down' if n % 50 == 0 else 'up'}": n // 20 for n in range(200)}
    redis.zadd(keys.ratings(0), members)
    everything = sorted(
        (RatedReply(at, *parts(member)) for member, at in members.items()), reverse=True
    )
    for rating in (None, Rating.DOWN):
        expected = [each for each in everything if rating in {None, each.rating}]
        for newer in (False, True):
            cursor, found = None, []
            while page := ratings.page(rating=rating, cursor=cursor, newer=newer, limit=7):
                found += page
                cursor = page[-1]
            assert found == (expected[::-1] if newer else expected)


def parts(member: str) -> tuple[str, int, Rating]:
    session_id, number, rating = member.split()
    return session_id, int(number), Rating(rating)


def test_page_costs_the_same_for_many_ratings(redis: Redis, admin: Client) -> None:
    rated_session("one")
    for partition in range(256):
        redis.zadd(keys.ratings(partition), {f"ses_{partition:04x} 2 down": 1})
    few = round_trips(admin, PAGE)
    for partition in range(256):
        members = {f"ses_{partition:04x}{n:04x} 2 down": 2 + n for n in range(50)}
        redis.zadd(keys.ratings(partition), members)
    assert round_trips(admin, PAGE) <= few + 20  # a session that is gone takes one
    redis.flushall()
