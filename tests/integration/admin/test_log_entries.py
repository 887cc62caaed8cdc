"""The log page: who may view it, what it shows, and that it is read-only."""

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
from tests.integration.admin.costs import round_trips
from tests.integration.admin.sessions import open_session, post_message, session_path

LOG = "/admin/admin/logentry/"


@pytest.fixture
def auditor(db: None) -> Client:  # noqa: ARG001
    """A user who may view the log and sessions, and nothing else."""
    user = User.objects.create_user("auditor", is_staff=True)
    names = ["view_logentry", "view_session"]
    user.user_permissions.set(
        apps.get_model("auth", "Permission").objects.filter(codename__in=names)
    )
    client = Client()
    client.force_login(user)
    return client


def revoke(permission: str) -> None:
    """Revoke a permission of the auditor."""
    known = apps.get_model("auth", "Permission").objects.filter(codename=permission)
    User.objects.get(username="auditor").user_permissions.remove(*known)


def session_with_entry(admin: Client, name: str = "") -> str:
    """Return the id of a session in which the admin cancelled a turn."""
    session_id = open_session(name)
    post_message(session_id)
    admin.post(session_path(session_id, "action"), {"session_action": "cancel"})
    return session_id


def rows(client: Client, query: str = "") -> list[tuple[str, str]]:
    """Return action and object of each row, as HTML."""
    response = client.get(LOG + query)
    assert response.status_code == 200
    changelist: Any = response.context["cl"]
    columns = changelist.model_admin
    entries = changelist.result_list
    return [(columns.action(entry), columns.object_link(entry)) for entry in entries]


def test_entries_link_to_existing_objects_only(admin: Client, auditor: Client) -> None:
    existing, gone = session_with_entry(admin, "<b>Ada</b>"), session_with_entry(admin)
    admin.post(session_path(gone, "delete"), {"post": "yes"})
    deleted, cancelled_gone, cancelled = rows(auditor)
    assert deleted == ("Deletion", gone)
    assert cancelled_gone == ("Cancelled 1 queued turn.", gone)
    assert session_path(existing) in cancelled[1]
    assert "&lt;b&gt;Ada" in cancelled[1]
    html = auditor.get(LOG).content.decode()
    assert "<b>Ada" not in html
    assert ">admin<" in html


def test_log_can_be_filtered_and_searched(admin: Client, auditor: Client) -> None:
    selected, other = session_with_entry(admin), session_with_entry(admin)
    admin.post(session_path(other, "delete"), {"post": "yes"})
    user_id = User.objects.get(username="admin").pk
    assert len(rows(auditor, f"?user__id__exact={user_id}")) == 3
    assert len(rows(auditor, "?action_flag__exact=3")) == 1
    assert [link for _, link in rows(auditor, f"?q={other}")] == [other] * 2
    (found,) = rows(auditor, f"?q={selected}")
    assert selected in found[1]
    assert rows(auditor, "?action_time__year=2001") == []


def test_page_costs_the_same_for_any_number_of_objects(admin: Client, auditor: Client) -> None:
    session_with_entry(admin)
    before = round_trips(auditor, LOG)
    for _ in range(5):
        session_with_entry(admin)
    assert round_trips(auditor, LOG) == before <= 2


def test_log_is_shown_without_redis(admin: Client, auditor: Client, settings: Settings) -> None:
    session_id = session_with_entry(admin)
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    store_client.cache_clear()
    assert rows(auditor) == [("Cancelled 1 queued turn.", session_id)]


def test_log_is_read_only(admin: Client) -> None:
    session_with_entry(admin)
    (entry,) = LogEntry.objects.all()
    for page in ("add/", f"{entry.pk}/delete/"):
        assert admin.post(LOG + page, {"post": "yes"}).status_code == 403
    assert admin.post(f"{LOG}{entry.pk}/change/", {"object_repr": "x"}).status_code == 403
    admin.post(LOG, {"action": "delete_selected", "_selected_action": entry.pk, "post": "yes"})
    assert [each.object_repr for each in LogEntry.objects.all()] == [entry.object_repr]


def test_account_with_log_entries_cannot_be_deleted(admin: Client, redis: Redis) -> None:
    session_id = open_session()
    other = User.objects.create_superuser("other")
    client = Client()
    client.force_login(other)
    client.post(session_path(session_id, "delete"), {"post": "yes"})
    assert not list(redis.scan_iter(f"*{session_id}*"))
    path = f"/admin/auth/user/{other.pk}/delete/"
    assert admin.post(path, {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=other.pk).exists()
    assert LogEntry.objects.filter(user=other).exists()


def test_viewing_sessions_does_not_permit_viewing_the_log(admin: Client, auditor: Client) -> None:
    session_with_entry(admin)
    revoke("view_logentry")
    assert auditor.get(LOG).status_code == 403


def test_log_links_to_no_session_that_the_user_may_not_view(admin: Client, auditor: Client) -> None:
    session_id = session_with_entry(admin)
    revoke("view_session")
    assert rows(auditor) == [("Cancelled 1 queued turn.", session_id)]
    sessions.read(Caller.internal(session_id))
