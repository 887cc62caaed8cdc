"""Logins are rate limited by address and by account; an attacker locks no others out."""

from contextlib import ExitStack
from itertools import islice

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from redis import Redis

from chat.accounts import logins

pytestmark = pytest.mark.django_db

OWNER = "198.51.100.7"
PASSWORD = "right"
TOO_MANY = "Too many attempts. Try again in"


@pytest.fixture(autouse=True)
def slow_recovery(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, limits would otherwise recover between two attempts."""
    for name in ("LOGINS_PER_MINUTE", "ACCOUNT_PER_MINUTE"):
        monkeypatch.setattr(logins, name, 0.5)


@pytest.fixture(autouse=True)
def admin_account(db: None) -> None:  # noqa: ARG001
    User.objects.create_superuser("admin", password=PASSWORD)


def log_in(password: str = PASSWORD, *, address: str = OWNER, username: str = "admin") -> str:
    """Try to log in; return `logged in`, or the page."""
    form = {"username": username, "password": password}
    response = Client().post("/admin/login/", form, REMOTE_ADDR=address)
    return "logged in" if response.status_code == 302 else response.content.decode()


def guess(attempts: int, *, address: str, username: str = "admin") -> int:
    """Guess passwords; return how many were checked."""
    pages = [log_in(f"guess {n}", address=address, username=username) for n in range(attempts)]
    return sum(TOO_MANY not in page for page in pages)


@pytest.mark.security("S10")
def test_password_guessing_is_rate_limited_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert guess(12, address="192.0.2.1") == 10
    assert TOO_MANY in log_in(address="192.0.2.1")
    assert "Failed admin login from 192.0.2.1" in caplog.text
    assert "Too many admin login attempts from 192.0.2.1" in caplog.text
    assert "guess" not in caplog.text


@pytest.mark.security("S55")
@pytest.mark.parametrize("network", ["192.0.2.1", "2001:db8:1:{:x}::1"])
def test_one_attacker_locks_nobody_else_out(network: str) -> None:
    """An IPv6 attacker has all addresses of a /48."""
    checked = sum(guess(1, address=network.format(n)) for n in range(25))
    assert checked <= 20
    assert log_in() == "logged in"
    assert guess(1, address="203.0.113.1") == 1


@pytest.mark.security("S55")
def test_many_addresses_lock_out_only_addresses_that_are_new() -> None:
    assert log_in() == "logged in"
    assert sum(guess(10, address=f"192.0.2.{n}") for n in range(1, 6)) == 39
    assert TOO_MANY in log_in(address="203.0.113.1")
    assert log_in() == "logged in"
    User.objects.create_superuser("other", password=PASSWORD)
    assert log_in(address="203.0.113.2", username="other") == "logged in"


@pytest.mark.security("S55")
def test_logins_at_once_take_few_threads() -> None:
    """Each takes a third of a second; those of many addresses would take all threads."""
    assert log_in() == "logged in"
    with ExitStack() as running:
        for n in range(logins.MAX_CHECKS):
            running.enter_context(logins.attempt(username="x", address=f"192.0.2.{n}"))
        assert f"{TOO_MANY} 1 s" in log_in(address="203.0.113.1")
        assert log_in() == "logged in"
    assert log_in(address="203.0.113.1") == "logged in"


@pytest.mark.security("S55")
def test_known_address_is_rate_limited_too() -> None:
    assert log_in() == "logged in"
    assert guess(12, address=OWNER) == 9


@pytest.mark.security("S55")
def test_unlock_allows_attempts_again(capsys: pytest.CaptureFixture[str], redis: Redis) -> None:
    for n in range(1, 6):
        guess(10, address=f"192.0.2.{n}")
    call_command("unlock", "Admin")
    assert log_in(address="203.0.113.1") == "logged in"
    assert TOO_MANY in log_in(address="192.0.2.1")
    call_command("unlock", address="192.0.2.1")
    assert log_in(address="192.0.2.1") == "logged in"
    assert capsys.readouterr().out.splitlines() == [
        "The account Admin can log in again.",
        "Clients of 192.0.2.1 can log in again.",
    ]
    guess(12, address="2001:db8::1")
    call_command("unlock", address="2001:db8::2")
    assert guess(1, address="2001:db8::1") == 1
    known = list(islice(redis.scan_iter("chat:known_login:*"), 10))
    assert len(known) == 2
    assert all(0 < redis.ttl(key) <= 30 * 86400 for key in known)


@pytest.mark.parametrize("arguments", [{}, {"address": "proxy.example.org"}])
def test_unlock_without_a_valid_target_is_an_error(arguments: dict[str, str]) -> None:
    with pytest.raises(CommandError, match="address"):
        call_command("unlock", **arguments)


@pytest.mark.security("S55")
@pytest.mark.parametrize(
    "target", ["//example.com/", "https://example.com/", "javascript:alert(1)"]
)
def test_login_leads_to_no_other_site(target: str) -> None:
    form = {"username": "admin", "password": PASSWORD, "next": target}
    response = Client().post("/admin/login/", form, REMOTE_ADDR=OWNER)
    assert (response.status_code, response["Location"]) == (302, "/admin/")
