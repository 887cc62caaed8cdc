"""The bans page: ban, unban and end sessions, from a form or from a session's page."""

import re
from collections import defaultdict
from collections.abc import Callable
from html import unescape
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings
from redis import Redis

from chat.accounts import api_keys, bans
from chat.conversation import sessions, tokens, turns
from chat.domain import ApiKey, Principal
from chat.domain.errors import AddressQuotaExceeded, Banned
from chat.store import api_keys as store
from chat.store import audit, keys, listing
from chat.store.bans import ban_copy
from tests.integration.admin.sessions import session_path

PAGE = "/admin/bans/"
Staff = Callable[..., Client]


def test_staff_ban_and_unban(staff: Staff) -> None:
    """Both are recorded in the admin's log and in the audit log."""
    client = staff("view", "delete")
    form = {"address": "203.0.113.9/24", "for": "2h", "reason": "spam <b>"}
    html = client.post(PAGE, form, follow=True).content.decode()
    assert "Banned 203.0.113.0/24." in html
    assert "spam &lt;b&gt;" in html
    (ban,) = bans.list_bans()
    assert (ban.subject, ban.reason) == ("ip:203.0.113.0/24", "spam <b>")
    assert ban.expires_at - ban.created_at == 7200
    html = client.post(PAGE, {"unban": ban.subject}, follow=True).content.decode()
    assert "No bans." in html
    messages = LogEntry.objects.values_list("change_message", flat=True)
    assert list(messages) == ["Ended the ban.", "Banned. spam <b>"]
    assert {entry.actor for entry in audit.newest(2)} == {"staff view-delete"}
    assert "There is no ban" in client.post(PAGE, {"unban": "ip:x"}).content.decode()


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"address": "everyone"},
        {"address": "203.0.113.9", "key": "0123456789ab"},
        {"address": "203.0.113.9", "for": "2 hours"},
        {"user": "alice"},
        {"key": "0123456789ab"},
    ],
)
def test_invalid_forms_are_reported_and_kept(admin: Client, form: dict[str, str]) -> None:
    html = admin.post(PAGE, form).content.decode()
    assert 'class="error"' in html
    assert all(f'value="{value}"' in html for value in form.values())
    assert bans.list_bans() == []


OPENED_BY = {
    "address": {"address": "203.0.113.0/24"},
    "network of IPv6": {"address": "2001:db8::/32"},
    "key": {"key": "0123456789ab"},
    "user": {"user": "alice", "tenant": "shop"},
}


def open_all() -> dict[str, list[str]]:
    """Open sessions of several clients; return the ids of those that each subject has opened."""
    key = Principal(api_key="0123456789ab")
    alice, bob = (Principal(tenant="shop", user=name) for name in ("alice", "bob"))
    opened = {
        ("address",): ("203.0.113.7", None),
        (): ("203.0.114.7", None),
        ("socket",): ("local", None),
        ("network of IPv6",): ("2001:db8:1:2::/64", None),
        ("key", "address"): ("203.0.113.8", key),
        ("user",): ("198.51.100.1", alice),
        ("other user",): ("198.51.100.1", bob),
    }
    ids: dict[str, list[str]] = defaultdict(list)
    for names, (address, principal) in opened.items():
        _, session = sessions.open_session(address=address, principal=principal)
        for name in (*names, "all"):
            ids[name].append(session.id)
    return ids


@pytest.mark.security("S62")
@pytest.mark.parametrize("subject", OPENED_BY)
def test_sessions_of_one_are_ended_after_confirmation(admin: Client, subject: str) -> None:
    ids = open_all()
    store.add(ApiKey(id="0123456789ab", key_hash="", name="shop", created_at=1.0))
    form = OPENED_BY[subject]
    confirmation = admin.post(PAGE, {**form, "end": "yes"}).content.decode()
    assert "are you sure?" in confirmation
    assert len(listing.page(offset=0, limit=99)) == len(ids["all"])
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', confirmation))
    html = admin.post(PAGE, fields, follow=True).content.decode()
    assert f"Ended {len(ids[subject])} sessions of" in html
    left = set(listing.page(offset=0, limit=99))
    assert left == set(ids["all"]) - set(ids[subject])
    (entry,) = audit.newest(1)
    assert entry.action == f"Ended {len(ids[subject])} sessions."


def test_hashed_addresses_can_be_banned_and_their_sessions_ended(
    admin: Client, settings: Settings, redis: Redis
) -> None:
    settings.CHAT_STORE_ADDRESSES = "hashed"
    _, session = sessions.open_session(address="2001:db8:1:2::/64")
    sessions.open_session(address="203.0.113.7")
    assert not [key for key in redis.scan_iter() if b"2001" in key and b"rate_limit" not in key]
    fields = redis.hgetall(keys.for_session(session.id).session)
    assert "2001:" not in str(fields)
    page = admin.get(session_path(session.id)).content.decode()
    (link,) = re.findall(r'href="(/admin/bans/[^"]+)"', page)
    (address,) = re.findall(r' value="(~[0-9a-f]+)"', admin.get(unescape(link)).content.decode())
    admin.post(PAGE, {"address": address})
    ban_copy.refresh()
    with pytest.raises(Banned):
        bans.check_address("2001:db8:1:2::/64")
    bans.check_address("2001:db8:1:3::/64")
    call_command("endsessions", "203.0.113.7", stdout=StringIO())
    assert listing.page(offset=0, limit=9) == [session.id]
    call_command("endsessions", address, stdout=StringIO())
    assert listing.page(offset=0, limit=9) == []


def test_no_address_is_kept_if_the_setting_is_off(admin: Client, settings: Settings) -> None:
    """Limits by address still work."""
    settings.CHAT_STORE_ADDRESSES = "off"
    settings.CHAT_MAX_SESSIONS_PER_ADDRESS = 1
    _, session = sessions.open_session(address="203.0.113.7")
    page = admin.get(session_path(session.id)).content.decode()
    assert "Address" not in page
    with pytest.raises(AddressQuotaExceeded):
        sessions.open_session(address="203.0.113.7")
    sessions.open_session(address="198.51.100.1")


def test_command_ends_sessions_and_their_turns(redis: Redis) -> None:
    """Nothing is left of them, and their quotas are free again."""
    for _ in range(3):
        token, _ = sessions.open_session(address="203.0.113.7")
        turns.submit(caller=tokens.caller_from_token(token), content="hello")
    out = StringIO()
    call_command("endsessions", "203.0.113.7", stdout=out)
    assert out.getvalue() == "Ended 3 sessions of 203.0.113.7.\n"
    names = str(redis.keys())
    assert "ses_" not in names
    assert "quota" not in names
    with pytest.raises(CommandError, match="Name an address"):
        call_command("endsessions")


@pytest.mark.security("S10")
def test_only_staff_who_may_end_sessions_see_the_page(staff: Staff) -> None:
    client = staff("view", "change")
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"address": "203.0.113.9"}).status_code == 403
    assert bans.list_bans() == []
    assert Client().get(PAGE).status_code == 302


@pytest.mark.parametrize("tenant", ["shop", ""])
def test_session_page_leads_to_the_filled_form(admin: Client, tenant: str) -> None:
    """Each link names the address, key or user that opened the session; submitting it bans them."""
    _, key = api_keys.create(name="shop", tenant=tenant)
    principal = Principal(tenant=tenant, user="alice@example.org", api_key=key.id)
    _, session = sessions.open_session(address="2001:db8:1:2::/64", principal=principal)
    page = admin.get(session_path(session.id)).content.decode()
    links = [unescape(link) for link in re.findall(r'href="(/admin/bans/[^"]+)"', page)]
    assert len(links) == 3
    for link in links:
        form = admin.get(link).content.decode()
        fields = dict(re.findall(r'<input name="(\w+)"[^>]* value="([^"]+)"', form))
        assert admin.post(PAGE, fields).status_code == 302
    subjects = {ban.subject for ban in bans.list_bans()}
    expected = {principal.identity().owner, f"key:{key.id}", "ip:2001:db8:1:2::/64"}
    assert subjects == expected


def test_viewers_get_no_links_to_bans(staff: Staff) -> None:
    _, session = sessions.open_session(address="192.0.2.7")
    page = staff("view").get(session_path(session.id)).content.decode()
    assert "192.0.2.7" in page
    assert PAGE not in page
