"""Permissions: who may view what, and who may do what."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from chat.conversation import sessions
from chat.domain import Caller
from tests.integration.admin.sessions import LIST, open_session, post_message, session_path

Staff = Callable[..., Client]
PAGES = ("change", "live", "events", "webhook", "history")
ACTIONS = ["cancel", "requeue", "redeliver msg_2", "expire", "redact msg_1", "export"]


def paths_of(session_id: str) -> list[str]:
    return [
        LIST,
        *(session_path(session_id, page) for page in PAGES),
    ]


@pytest.mark.security("S10")
@pytest.mark.django_db
def test_anonymous_users_are_redirected_to_the_login() -> None:
    session_id = open_session("secret name")
    for path in paths_of(session_id):
        response = Client().get(path)
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")


@pytest.mark.security("S10")
@pytest.mark.django_db
def test_non_staff_users_are_redirected_to_the_login() -> None:
    client = Client()
    client.force_login(User.objects.create_user("somebody"))
    assert client.get(LIST).status_code == 302


@pytest.mark.security("S10")
def test_staff_without_permission_see_nothing(staff: Staff) -> None:
    session_id = open_session("secret name")
    client = staff()
    assert "secret name" not in client.get("/admin/").content.decode()
    for path in paths_of(session_id):
        response = client.get(path)
        assert response.status_code == 403
        assert b"secret name" not in response.content


def test_errors_are_pages_in_the_admin_and_json_elsewhere(staff: Staff) -> None:
    client = staff()
    errors = {LIST: "You do not have permission.", "/admin/nope": "This page does not exist."}
    for path, message in errors.items():
        response = client.get(path)
        assert response["Content-Type"].startswith("text/html")
        assert message in response.content.decode()
        assert "default-src 'self'" in response["Content-Security-Policy"]
    assert Client().get("/nope").json()["error"]["code"] == "not_found"


@pytest.mark.security("S10")
def test_view_permission_allows_no_action(staff: Staff) -> None:
    session_id = open_session("a name")
    post_message(session_id)
    client = staff("view")
    for path in paths_of(session_id):
        assert client.get(path).status_code == 200, path
    html = client.get(session_path(session_id)).content.decode()
    assert "a question" in html
    assert 'name="session_action"' not in html
    for action in ACTIONS:
        response = client.post(
            session_path(session_id, "action"), {"session_action": action, "confirmed": "yes"}
        )
        assert response.status_code == 403, action
    assert client.post(session_path(session_id, "delete"), {"post": "yes"}).status_code == 403
    for action in ("cancel", "requeue", "expire", "export", "export_turns", "delete_selected"):
        form = {"action": action, "_selected_action": session_id, "post": "yes", "confirmed": "yes"}
        client.post(LIST, form)
    assert sessions.read(Caller.internal(session_id)).queued_turns == 1
    assert not LogEntry.objects.exists()


@pytest.mark.security("S10")
@pytest.mark.parametrize(
    ("permission", "action"),
    [
        ("change", "cancel"),
        ("change", "requeue"),
        ("delete", "expire"),
        ("redact", "redact msg_1"),
        ("export", "export"),
    ],
)
def test_each_action_needs_its_own_permission(staff: Staff, permission: str, action: str) -> None:
    session_id = open_session()
    post_message(session_id)
    form = {"session_action": action, "confirmed": "yes"}
    others = {"view", "change", "delete", "redact", "export"} - {permission}
    assert staff(*sorted(others)).post(session_path(session_id, "action"), form).status_code == 403
    client = staff("view", permission)
    assert client.post(session_path(session_id, "action"), form).status_code in {200, 302}
    assert LogEntry.objects.count() == 1


@pytest.mark.security("S10")
def test_every_action_needs_permission_to_view(staff: Staff) -> None:
    session_id = open_session("secret name")
    post_message(session_id)
    client = staff("delete", "redact", "export")
    for action in ACTIONS:
        response = client.post(
            session_path(session_id, "action"), {"session_action": action, "confirmed": "yes"}
        )
        assert response.status_code == 403, action
    assert client.post(session_path(session_id, "delete"), {"post": "yes"}).status_code == 403
    assert client.get(LIST).status_code == 403
    assert "secret name" not in client.get("/admin/").content.decode()
    assert sessions.read(Caller.internal(session_id)).queued_turns == 1
    assert not LogEntry.objects.exists()


@pytest.mark.security("S07")
def test_post_without_a_csrf_token_is_rejected(admin: Client) -> None:
    session_id = open_session()
    post_message(session_id)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = admin.cookies
    response = strict.post(session_path(session_id, "action"), {"session_action": "cancel"})
    assert response.status_code == 403
    assert "This form has expired." in response.text
    assert sessions.read(Caller.internal(session_id)).queued_turns == 1


@pytest.mark.security("S07")
@pytest.mark.case("C31")
@pytest.mark.django_db
def test_form_behind_a_proxy_that_drops_the_port_needs_a_trusted_origin(settings: Settings) -> None:
    def log_in() -> Any:
        browser = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
        browser.get("/admin/login/")
        form = {"csrfmiddlewaretoken": browser.cookies["csrftoken"].value}
        origin = {"origin": "https://localhost:8443"}
        return browser.post("/admin/login/", form, headers=origin)

    response = log_in()
    assert response.status_code == 403
    assert "CSRF_TRUSTED_ORIGINS must contain the origin." in response.text
    settings.CSRF_TRUSTED_ORIGINS = ["https://localhost:8443"]
    assert log_in().status_code == 200


@pytest.mark.security("S07")
def test_get_requests_and_edit_forms_change_nothing(admin: Client) -> None:
    session_id = open_session("a name")
    seq = sessions.read(Caller.internal(session_id)).seq
    assert (
        admin.get(
            session_path(session_id, "action") + "?session_action=expire&confirmed=yes"
        ).status_code
        == 405
    )
    assert admin.post(session_path(session_id), {"name": "another"}).status_code == 405
    assert admin.get(LIST + "add/").status_code == 403
    assert sessions.read(Caller.internal(session_id)).seq == seq
