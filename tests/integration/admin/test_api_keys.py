"""The API keys page: a secret is shown once, and only superusers see the page."""

import re
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from chat.accounts import api_keys
from chat.conversation import sessions
from chat.domain import Principal
from chat.domain.errors import InvalidToken
from chat.store import audit
from tests.integration.admin.sessions import session_path

PAGE = "/admin/api-keys/"


def create(admin: Client, **fields: object) -> str:
    """Create a key; return the page."""
    response = admin.post(PAGE, {"name": "shop <b>", **fields})
    assert response.status_code == 200
    return response.content.decode()


def test_new_key_is_shown_once(admin: Client) -> None:
    html = create(admin, tenant="shop", scope=["sessions", "users"], days="1")
    (text,) = re.findall(r"pk_[0-9a-f]{12}_[\w-]{43}", html)
    key = api_keys.verify(text)
    assert (key.name, key.tenant, key.scopes) == ("shop <b>", "shop", ("sessions", "users"))
    assert 86_000 < key.expires_at - key.created_at <= 86_400
    later = admin.get(PAGE).content.decode()
    assert text not in later
    assert "shop &lt;b&gt;" in later
    assert key.id in later


def test_revoked_key_stops_working(admin: Client) -> None:
    (text,) = re.findall(r"pk_[\w-]{56}", create(admin))
    key_id = text[3:15]
    response = admin.post(PAGE, {"revoke": key_id}, follow=True)
    assert "It stops working within five seconds." in response.content.decode()
    assert "revoked" in response.content.decode()
    api_keys._cache.clear()  # of this process
    with pytest.raises(InvalidToken):
        api_keys.verify(text)
    assert admin.post(PAGE, {"revoke": "unknown"}).status_code == 404
    changes = LogEntry.objects.values_list("change_message", "object_repr")
    assert [change for change, name in changes if key_id in name] == ["Revoked.", "Created."]


@pytest.mark.parametrize(
    "fields", [{"name": " "}, {"tenant": "a b"}, {"days": "-1"}, {"days": "x"}]
)
def test_invalid_fields_are_reported(admin: Client, fields: dict[str, str]) -> None:
    assert 'class="error"' in create(admin, **fields)
    assert api_keys.list_with_last_use() == []


@pytest.mark.security("S10")
@pytest.mark.django_db
def test_only_superusers_see_the_page(client: Client) -> None:
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"name": "mine"}).status_code == 403
    assert Client().get(PAGE).status_code == 302


def test_page_shows_budgets_of_each_key(admin: Client) -> None:
    (text,) = re.findall(r"pk_[\w-]{56}", create(admin))
    assert "per day" not in admin.get(PAGE).content.decode()
    call_command("apikey", "budget", text[3:15], "--day", "5", "--month-tokens", "1000")
    html = admin.get(PAGE).content.decode()
    assert f"key {text[3:15]} per day, money: 0.00 of 5.00" in html
    assert f"key {text[3:15]} per month, tokens: 0 of 1,000" in html
    call_command("apikey", "budget", text[3:15])


def test_changes_of_keys_are_in_the_audit_log(admin: Client) -> None:
    """Those by commands and by staff, with who made them."""
    call_command("apikey", "create", "by command", stdout=StringIO(), stderr=StringIO())
    ((key, _),) = api_keys.list_with_last_use()
    call_command("apikey", "budget", key.id, "--day", "0.5", "--day-tokens", "7")
    call_command("apikey", "revoke", key.id)
    create(admin)
    newest = api_keys.list_with_last_use()[0][0]
    admin.post(PAGE, {"revoke": newest.id})
    entries = [(entry.actor.split()[0], entry.action, entry.target) for entry in audit.newest(9)]
    first, second = f"API key {key.id} (by command)", f"API key {newest.id} (shop <b>)"
    assert entries == [
        ("staff", "Revoked.", second),
        ("staff", "Created.", second),
        ("command", "Revoked.", first),
        ("command", "Set the budgets: 0.5 per day, 7 tokens per day.", first),
        ("command", "Created.", first),
    ]


@pytest.mark.security("S64")
def test_page_shows_what_keys_did_after_what_staff_did(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much the keys did."""
    monkeypatch.setattr(audit, "MAX_ENTRIES", 100)
    create(admin)
    for number in range(300):
        audit.record(actor="key 0", action=f"Erased {number}.", target="user:0", is_client=True)
    actions = [entry.action for entry in audit.newest(3)]
    assert actions == ["Erased 299.", "Erased 298.", "Erased 297.", "Created."]
    html = admin.get(PAGE).content.decode()
    assert "Erased 299." in html
    assert "staff" in html


def test_session_page_shows_who_opened_it(admin: Client) -> None:
    principal = Principal(tenant="shop", user="alice@example.org", api_key="0123456789ab")
    _, session = sessions.open_session(address="192.0.2.7", principal=principal)
    html = admin.get(session_path(session.id)).content.decode()
    for text in ("shop", "alice@example.org", "0123456789ab", "192.0.2.7"):
        assert text in html
