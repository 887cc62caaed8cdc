"""The filter of the list of sessions by who has opened them, and the links to it."""

import re
from collections import defaultdict
from collections.abc import Iterable
from html import unescape
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings
from redis import Redis

from chat.conversation import ending, sessions, staff
from chat.domain import ApiKey, Caller, Principal
from chat.domain.bans import Subject
from chat.store import api_keys, due, keys, listing
from chat.store.bans import ban_copy
from tests.integration.admin.sessions import LIST, post_message, session_path
from tests.integration.admin.test_session_filters import fail, found

KEY = "0123456789ab"
ALICE = Principal(tenant="shop", user="alice@example.org")
BOB = Principal(tenant="shop", user="bob", api_key=KEY)
# Who opens sessions, and by which names they are found.
OPENED = [
    ("203.0.113.7", None, ("single", "network", "odd network")),
    ("203.0.113.8", None, ("network", "odd network")),
    ("203.0.114.7", None, ()),
    ("203.0.11.37", None, ()),
    ("local", None, ()),
    ("", None, ()),
    ("2001:db8:1:2::/64", None, ("IPv6 /64", "IPv6 /48", "IPv6 /33")),
    ("2001:db8:1:3::/64", None, ("IPv6 /48", "IPv6 /33")),
    ("2001:db8:8001:2::/64", None, ()),
    ("203.0.113.8", ALICE, ("network", "odd network", "user", "tenant", "digest")),
    ("198.51.100.1", BOB, ("tenant", "key", "user of a key")),
    ("203.0.113.9", BOB, ("tenant", "key", "user of a key", "network", "odd network", "both")),
    ("198.51.100.1", Principal(tenant="shop2", user="alice@example.org"), ()),
    ("198.51.100.1", Principal(api_key=KEY), ("key",)),
]
QUERIES = {
    "single": "address=203.0.113.7",
    "network": "address=203.0.113.0/24",
    "odd network": "address=203.0.112.0/23",
    "IPv6 /64": "address=2001:db8:1:2::1",
    "IPv6 /48": "address=2001:db8:1::/48",
    "IPv6 /33": "address=2001:db8::/33",
    "user": "user=alice%40example.org&tenant=shop",
    "digest": f"user={ALICE.identity().owner}",
    "user of a key": f"user=bob&key={KEY}",
    "tenant": "tenant=shop",
    "key": f"key={KEY}",
    "both": f"key={KEY}&address=203.0.113.0/24",
}


@pytest.fixture
def opened() -> dict[str, set[str]]:
    """Open sessions of several clients; return the ids of those that each query finds."""
    ban_copy.refresh()  # those of the test before have been removed
    api_keys.add(ApiKey(id=KEY, key_hash="", name="shop", tenant="shop", created_at=1.0))
    ids: dict[str, set[str]] = defaultdict(set)
    for address, principal, names in OPENED:
        _, session = sessions.open_session(address=address, principal=principal)
        for name in (*names, "all"):
            ids[name].add(session.id)
    return ids


def test_sessions_are_filtered_by_opener(admin: Client, opened: dict[str, set[str]]) -> None:
    for name, query in QUERIES.items():
        assert found(admin, f"?{query}") == opened[name], name
    (session_id,) = opened["single"]
    assert found(admin, f"?{QUERIES['single']}&q={session_id}") == {session_id}
    assert found(admin, f"?{QUERIES['tenant']}&q={session_id}") == set()
    assert found(admin, "?address=203.0.113.0%2F24&tenant=shop") == (
        opened["network"] & opened["tenant"]
    )


def test_filter_by_opener_is_combined_with_others(
    admin: Client, opened: dict[str, set[str]]
) -> None:
    (failed,) = opened["single"]
    post_message(failed)
    fail(failed, "model_error")
    for query, expected in {
        "failed=any": {failed},
        "failed=model_error": {failed},
        "failed=model_timeout": set(),
        "failed=any&rated=down": set(),
        "status=idle&model=default&activity=5m": opened["network"],
        "status=running": set(),
        "model=other": set(),
        "q=no-name": set(),
        "activity=over-1h": set(),
    }.items():
        assert found(admin, f"?address=203.0.113.0/24&{query}") == expected, query
    assert found(admin, "?tenant=shop&failed=any") == set()


def test_text_of_an_opener_is_no_part_of_a_name(admin: Client, opened: dict[str, set[str]]) -> None:
    sessions.update(Caller.internal(max(opened["user"])), {"name": "tenant"})
    assert found(admin, "?q=tenant") == opened["user"]
    assert found(admin, "?q=shop") == set()
    assert found(admin, "?q=tenant&tenant=shop") == opened["user"]
    assert found(admin, f"?{QUERIES['user']}") == opened["user"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("address=everyone", "is not an IP address"),
        ("address=0.0.0.0/0", "is too large"),
        ("key=no", "no API key"),
        ("user=alice", "Name the user&#x27;s tenant"),
        ("tenant=a+b", "no tenant"),
    ],
)
def test_invalid_filter_lists_nothing(
    admin: Client, opened: dict[str, set[str]], query: str, message: str
) -> None:
    """An action on all listed sessions must not reach others."""
    response = admin.get(f"{LIST}?{query}")
    assert message in response.content.decode()
    assert list(response.context["cl"].result_list) == []
    assert len(opened["all"]) == len(OPENED)


def test_hashed_addresses_are_found_one_by_one(admin: Client, settings: Settings) -> None:
    settings.CHAT_STORE_ADDRESSES = "hashed"
    _, four = sessions.open_session(address="203.0.113.7")
    _, six = sessions.open_session(address="2001:db8:1:2::/64")
    assert found(admin, "?address=203.0.113.7") == {four.id}
    for address in ("2001:db8:1:2::5", "2001:db8:1::/48"):
        assert found(admin, f"?address={address}") == {six.id}
    html = admin.get(f"{LIST}?address=203.0.113.0/24").content.decode()
    assert "only single addresses and IPv6 /48 networks can be found" in html
    page = admin.get(session_path(four.id)).content.decode()
    (link,) = list_links(page)
    assert found(admin, link.removeprefix(LIST)) == {four.id}
    settings.CHAT_STORE_ADDRESSES = "plain"
    _, plain = sessions.open_session(address="203.0.113.7")
    assert found(admin, "?address=203.0.113.7") == {four.id, plain.id}


def test_list_says_that_no_addresses_are_kept(admin: Client, settings: Settings) -> None:
    settings.CHAT_STORE_ADDRESSES = "off"
    sessions.open_session(address="203.0.113.7")
    response = admin.get(f"{LIST}?address=203.0.113.7")
    assert "sessions keep no address" in response.content.decode()
    assert list(response.context["cl"].result_list) == []


def list_links(html: str) -> list[str]:
    return [unescape(link) for link in re.findall(rf'href="({LIST}\?(?!_)[^"]+)"', html)]


def test_session_page_links_to_sessions_of_the_same_opener(
    admin: Client, opened: dict[str, set[str]]
) -> None:
    (session_id,) = opened["both"]
    links = list_links(admin.get(session_path(session_id)).content.decode())
    assert [found(admin, link.removeprefix(LIST)) for link in links] == [
        opened["tenant"],
        opened["key"],
        opened["both"],
    ]


def test_bans_and_keys_link_to_sessions(admin: Client, opened: dict[str, set[str]]) -> None:
    for form in (
        {"address": "203.0.113.0/24"},
        {"key": KEY},
        {"user": "alice@example.org", "tenant": "shop"},
    ):
        admin.post("/admin/bans/", form)
    links = list_links(admin.get("/admin/bans/").content.decode())
    listed = [found(admin, link.removeprefix(LIST)) for link in links]
    assert sorted(listed, key=len) == sorted(
        [opened["user"], opened["key"], opened["network"]], key=len
    )
    links = list_links(admin.get("/admin/api-keys/").content.decode())
    assert [found(admin, link.removeprefix(LIST)) for link in links] == [
        opened["key"],
        opened["tenant"],
    ]


def end_by(subject: str, redis: Redis, session_ids: Iterable[str]) -> None:
    """End sessions: delete or expire them, or lose their keys."""
    for session_id in session_ids:
        if subject == "delete":
            staff.delete(session_id)
        elif subject == "expire":
            staff.expire(session_id)
            due.recover([session_id], grace=1)
        else:
            redis.delete(keys.for_session(session_id).session)
            due.recover([session_id], grace=1)


@pytest.mark.security("S41")
@pytest.mark.parametrize("way", ["delete", "expire", "lose"])
def test_ended_sessions_leave_no_label(redis: Redis, opened: dict[str, set[str]], way: str) -> None:
    end_by(way, redis, opened["all"])
    assert redis.keys("chat:{*}:labels") == redis.keys("chat:{*}:search*") == []


def test_reindex_adds_openers_and_the_list_asks_for_it(
    redis: Redis, admin: Client, opened: dict[str, set[str]]
) -> None:
    """Until then, endsessions reads all sessions."""
    for session_id in opened["all"]:  # as an earlier version has left them
        own = keys.for_session(session_id)
        redis.delete(own.labels)
        redis.hset(own.search_fields, session_id, '"default"\n')
    html = admin.get(f"{LIST}?{QUERIES['tenant']}").content.decode()
    assert f"{len(OPENED)} sessions of an earlier version are missing" in html
    assert "are missing" not in admin.get(LIST).content.decode()
    assert ending.count_sessions(Subject(name="tenant:shop", label="")) == len(opened["tenant"])
    call_command("reindex", stdout=StringIO())
    assert "are missing" not in admin.get(f"{LIST}?{QUERIES['tenant']}").content.decode()
    for name, query in QUERIES.items():
        assert found(admin, f"?{query}") == opened[name], name


def test_dry_run_counts_the_sessions(opened: dict[str, set[str]]) -> None:
    for args, name in ((["203.0.113.0/24"], "network"), ([f"--key={KEY}"], "key")):
        out = StringIO()
        call_command("endsessions", *args, "--dry-run", stdout=out)
        assert out.getvalue().endswith(f" has {len(opened[name])} sessions.\n")
    assert set(listing.page(offset=0, limit=99)) == opened["all"]
