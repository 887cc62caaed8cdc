"""Who may see what, and do what."""

from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from chat.conversation import sessions
from chat.domain import Caller
from tests.integration.admin.scene import LIST, asked, opened, page

Staff = Callable[..., Client]
ACTS = ["cancel", "requeue", "redeliver msg_2", "expire", "redact msg_1", "export"]


def everything_of(session_id: str) -> list[str]:
    return [
        LIST,
        *(page(session_id, place) for place in ("change", "live", "events", "webhook", "history")),
    ]


@pytest.mark.security("S10")
@pytest.mark.django_db
def test_the_anonymous_are_sent_to_sign_in() -> None:
    session_id = opened("secret name")
    for path in everything_of(session_id):
        answer = Client().get(path)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")


@pytest.mark.security("S10")
@pytest.mark.django_db
def test_who_is_not_staff_is_sent_to_sign_in() -> None:
    client = Client()
    client.force_login(User.objects.create_user("somebody"))
    assert client.get(LIST).status_code == 302


@pytest.mark.security("S10")
def test_staff_without_permission_see_nothing(staff: Staff) -> None:
    session_id = opened("secret name")
    client = staff()
    assert "secret name" not in client.get("/admin/").content.decode()
    for path in everything_of(session_id):
        answer = client.get(path)
        assert answer.status_code == 403
        assert b"secret name" not in answer.content


def test_staff_are_refused_by_a_page_and_others_by_the_api(staff: Staff) -> None:
    for path, told in ((LIST, "You may not do this."), ("/admin/nope", "There is nothing here.")):
        answer = staff(told).get(path)
        assert answer["Content-Type"].startswith("text/html")
        assert told in answer.content.decode()
        assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert Client().get("/nope").json()["error"]["code"] == "not_found"


@pytest.mark.security("S10")
def test_who_may_view_sees_all_and_can_do_nothing(staff: Staff) -> None:
    session_id = opened("a name")
    asked(session_id, "a question")
    client = staff("view")
    for path in everything_of(session_id):
        assert client.get(path).status_code == 200, path
    shown = client.get(page(session_id)).content.decode()
    assert "a question" in shown
    assert 'name="session_action"' not in shown
    for action in ACTS:
        answer = client.post(
            page(session_id, "action"), {"session_action": action, "confirmed": "yes"}
        )
        assert answer.status_code == 403, action
    assert client.post(page(session_id, "delete"), {"post": "yes"}).status_code == 403
    for action in ("cancel", "requeue", "expire", "export", "export_turns", "delete_selected"):
        told = {"action": action, "_selected_action": session_id, "post": "yes", "confirmed": "yes"}
        client.post(LIST, told)
    assert sessions.read(Caller(session_id=session_id)).waiting == 1
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
def test_each_act_wants_its_own_permission(staff: Staff, permission: str, action: str) -> None:
    session_id = opened()
    asked(session_id, "a question")
    told = {"session_action": action, "confirmed": "yes"}
    others = {"view", "change", "delete", "redact", "export"} - {permission}
    assert staff(*sorted(others)).post(page(session_id, "action"), told).status_code == 403
    client = staff("view", permission)
    assert client.post(page(session_id, "action"), told).status_code in {200, 302}
    assert LogEntry.objects.count() == 1


@pytest.mark.security("S10")
def test_who_may_not_see_sessions_can_do_nothing_with_them(staff: Staff) -> None:
    session_id = opened("secret name")
    asked(session_id, "a question")
    client = staff("delete", "redact", "export")
    for action in ACTS:
        answer = client.post(
            page(session_id, "action"), {"session_action": action, "confirmed": "yes"}
        )
        assert answer.status_code == 403, action
    assert client.post(page(session_id, "delete"), {"post": "yes"}).status_code == 403
    assert client.get(LIST).status_code == 403
    assert "secret name" not in client.get("/admin/").content.decode()
    assert sessions.read(Caller(session_id=session_id)).waiting == 1
    assert not LogEntry.objects.exists()


@pytest.mark.security("S07")
def test_nothing_is_done_without_a_csrf_token(admin: Client) -> None:
    session_id = opened()
    asked(session_id, "a question")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = admin.cookies
    answer = strict.post(page(session_id, "action"), {"session_action": "cancel"})
    assert answer.status_code == 403
    assert sessions.read(Caller(session_id=session_id)).waiting == 1


@pytest.mark.security("S07")
def test_nothing_is_done_by_a_get_or_by_a_form_of_fields(admin: Client) -> None:
    session_id = opened("a name")
    turns_before = sessions.read(Caller(session_id=session_id)).seq
    assert (
        admin.get(page(session_id, "action") + "?session_action=expire&confirmed=yes").status_code
        == 405
    )
    assert admin.post(page(session_id), {"name": "another"}).status_code == 405
    assert admin.get(LIST + "add/").status_code == 403
    assert sessions.read(Caller(session_id=session_id)).seq == turns_before


@pytest.mark.security("S10")
@pytest.mark.django_db
def test_guessing_passwords_is_slowed_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    User.objects.create_superuser("admin", password="right")
    client = Client()

    def try_in(password: str, address: str = "192.0.2.1") -> str:
        told = {"username": "admin", "password": password}
        answer = client.post("/admin/login/", told, REMOTE_ADDR=address)
        return "in" if answer.status_code == 302 else answer.content.decode()

    for guess in range(10):
        assert "Too many" not in try_in(f"guess {guess}")
    assert "Too many attempts. Try again in" in try_in("right")
    assert "Too many attempts" in try_in("right", address="192.0.2.2")
    assert "Failed admin login from 192.0.2.1" in caplog.text
    assert "Too many admin login attempts from 192.0.2.1" in caplog.text
    assert "guess" not in caplog.text
