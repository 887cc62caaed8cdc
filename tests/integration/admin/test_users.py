"""The page of a user, and the deletion of everything that is stored of them."""

import time
from collections.abc import Callable

import pytest
from django.test import Client
from redis import Redis

from chat.admin import users
from chat.conversation import sessions
from chat.domain import Principal
from tests.integration.admin.active_content import find_active_content
from tests.integration.admin.sessions import LIST, session_path

PAGE = "/admin/user/?tenant=shop&user=ada"
PRINCIPAL = Principal(tenant="shop", user="ada")


def open_session(name: str, principal: Principal = PRINCIPAL) -> str:
    _, snapshot = sessions.open_session(name=name, principal=principal)
    return snapshot.id


def test_page_lists_the_sessions_of_one_user(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "PAGE_SIZE", 2)
    ids = []
    for n in range(3):
        ids.append(open_session(f"<b>number {n}</b>"))
        time.sleep(0.002)  # sessions of the same millisecond have no order
    open_session("of another", Principal(tenant="shop", user="bob"))
    open_session("of another tenant", Principal(tenant="other", user="ada"))
    page = admin.get(PAGE)
    assert [each.pk for each in page.context["sessions"]] == ids[:0:-1]
    assert find_active_content(page.content.decode()) == []
    older = admin.get(f"/admin/user/?{page.context['next']}")
    assert [each.pk for each in older.context["sessions"]] == ids[:1]
    assert older.context["next"] is None
    link = '<a href="/admin/user/?tenant=shop&amp;user=ada"'
    assert link in admin.get(LIST).content.decode()
    assert link in admin.get(session_path(ids[0])).content.decode()


def test_everything_of_a_user_is_deleted(
    redis: Redis, admin: Client, staff: Callable[..., Client]
) -> None:
    ids = [open_session("one"), open_session("two")]
    other = open_session("of another", Principal(tenant="shop", user="bob"))
    assert staff("view").post(PAGE, {"confirmed": "yes"}).status_code == 403
    confirmation = admin.post(PAGE)
    assert "All sessions of this user are deleted" in confirmation.content.decode()
    assert admin.post(PAGE, {"confirmed": "yes"}).status_code == 302
    left = b" ".join(redis.scan_iter())
    assert not any(each.encode() in left for each in ids)
    assert other.encode() in left
    assert "Nothing is stored of this user." in admin.get(PAGE).content.decode()
    log = admin.get("/admin/admin/logentry/").content.decode()
    assert "Deleted everything of a user: 2 sessions." in log
    assert "ada" not in log.replace("data", "")


def test_page_without_a_user_is_not_found(admin: Client) -> None:
    assert admin.get("/admin/user/").status_code == 404
