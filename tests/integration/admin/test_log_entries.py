"""The admin's log as a page: who sees it, what it tells, and that nobody changes it."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings
from redis import Redis

from chat.conversation import sessions
from chat.domain import Caller
from chat.store.client import client as store_client
from tests.harness.ports import free_port
from tests.integration.admin.scene import asked, cost, opened, page

LOG = "/admin/admin/logentry/"


@pytest.fixture
def auditor(db: None) -> Client:  # noqa: ARG001
    """Who may see the log and sessions, and nothing else."""
    user = User.objects.create_user("auditor", is_staff=True)
    names = ["view_logentry", "view_session"]
    user.user_permissions.set(
        apps.get_model("auth", "Permission").objects.filter(codename__in=names)
    )
    client = Client()
    client.force_login(user)
    return client


def take_away(permission: str) -> None:
    """Take a permission from the auditor."""
    known = apps.get_model("auth", "Permission").objects.filter(codename=permission)
    User.objects.get(username="auditor").user_permissions.remove(*known)


def acted_on(admin: Client, name: str = "") -> str:
    """Return the id of a session in which a turn was cancelled by staff."""
    session_id = opened(name)
    asked(session_id, "a question")
    admin.post(page(session_id, "action"), {"session_action": "cancel"})
    return session_id


def rows(client: Client, query: str = "") -> list[tuple[str, str]]:
    """Return what was done, and to what, as HTML."""
    answer = client.get(LOG + query)
    assert answer.status_code == 200
    found: Any = answer.context["cl"]
    shown = found.model_admin
    return [(shown.action(entry), shown.object_link(entry)) for entry in found.result_list]


def test_another_sees_what_was_done_and_is_led_to_what_lives(
    admin: Client, auditor: Client
) -> None:
    living, gone = acted_on(admin, "<b>Ada</b>"), acted_on(admin)
    admin.post(page(gone, "delete"), {"post": "yes"})
    deleted, cancelled_gone, cancelled = rows(auditor)
    assert deleted == ("Deletion", gone)
    assert cancelled_gone == ("Cancelled 1 queued turn.", gone)
    assert page(living) in cancelled[1]
    assert "&lt;b&gt;Ada" in cancelled[1]
    html = auditor.get(LOG).content.decode()
    assert "<b>Ada" not in html
    assert ">admin<" in html


def test_it_is_filtered_and_searched(admin: Client, auditor: Client) -> None:
    chosen, other = acted_on(admin), acted_on(admin)
    admin.post(page(other, "delete"), {"post": "yes"})
    who = User.objects.get(username="admin").pk
    assert len(rows(auditor, f"?user__id__exact={who}")) == 3
    assert len(rows(auditor, "?action_flag__exact=3")) == 1
    assert [place for _, place in rows(auditor, f"?q={other}")] == [other] * 2
    (found,) = rows(auditor, f"?q={chosen}")
    assert chosen in found[1]
    assert rows(auditor, "?action_time__year=2001") == []


def test_a_page_of_it_asks_redis_as_often_however_much_it_names(
    admin: Client, auditor: Client
) -> None:
    acted_on(admin)
    before = cost(auditor, LOG)
    for _ in range(5):
        acted_on(admin)
    assert cost(auditor, LOG) == before <= 2


def test_it_is_shown_without_redis(admin: Client, auditor: Client, settings: Settings) -> None:
    session_id = acted_on(admin)
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    store_client.cache_clear()
    assert rows(auditor) == [("Cancelled 1 queued turn.", session_id)]


def test_nobody_changes_it(admin: Client) -> None:
    acted_on(admin)
    (entry,) = LogEntry.objects.all()
    for place in ("add/", f"{entry.pk}/delete/"):
        assert admin.post(LOG + place, {"post": "yes"}).status_code == 403
    assert admin.post(f"{LOG}{entry.pk}/change/", {"object_repr": "x"}).status_code == 403
    admin.post(LOG, {"action": "delete_selected", "_selected_action": entry.pk, "post": "yes"})
    assert [each.object_repr for each in LogEntry.objects.all()] == [entry.object_repr]


def test_who_has_done_anything_is_not_deleted_with_their_entries(
    admin: Client, redis: Redis
) -> None:
    session_id = opened()
    other = User.objects.create_superuser("other")
    client = Client()
    client.force_login(other)
    client.post(page(session_id, "delete"), {"post": "yes"})
    assert not list(redis.scan_iter(f"*{session_id}*"))
    path = f"/admin/auth/user/{other.pk}/delete/"
    assert admin.post(path, {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=other.pk).exists()
    assert LogEntry.objects.filter(user=other).exists()


def test_seeing_sessions_is_not_seeing_the_log(admin: Client, auditor: Client) -> None:
    acted_on(admin)
    take_away("view_logentry")
    assert auditor.get(LOG).status_code == 403


def test_who_may_not_see_sessions_is_led_to_none(admin: Client, auditor: Client) -> None:
    session_id = acted_on(admin)
    take_away("view_session")
    assert rows(auditor) == [("Cancelled 1 queued turn.", session_id)]
    sessions.read(Caller(session_id=session_id))
