"""Look-ups of bans, and the names of those who are banned."""

import pytest

from chat.accounts import subjects
from chat.domain.bans import Ban, BanList
from chat.domain.errors import InvalidRequest

NOW = 1000.0


def ban(subject: str, *, expires_at: float = 0.0) -> Ban:
    return Ban(
        subject=subject, label=subject, created_by="test", created_at=NOW, expires_at=expires_at
    )


@pytest.mark.parametrize(
    ("network", "address", "is_banned"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.0/24", "203.0.113.8", True),
        ("203.0.113.0/24", "203.0.114.8", False),
        ("2001:db8::/32", "2001:db8:1:2::/64", True),
        ("2001:db8:1::/48", "2001:db8:2:2::/64", False),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64", True),
        ("32.1.13.184/8", "2001:db8::/64", False),
        ("203.0.113.0/24", "local", False),
    ],
)
def test_network_bans_the_addresses_in_it(network: str, address: str, is_banned: bool) -> None:
    found = BanList([ban(subjects.from_address(network).name)]).find_address(address, NOW)
    assert (found is not None) == is_banned


def test_expired_ban_hides_no_other() -> None:
    bans = BanList([ban("ip:203.0.113.0/24", expires_at=NOW), ban("ip:203.0.0.0/16")])
    found = bans.find_address("203.0.113.7", NOW)
    assert found is not None
    assert found.subject == "ip:203.0.0.0/16"
    assert BanList([ban("key:a", expires_at=NOW)]).find(["key:a"], NOW) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("203.0.113.7", "ip:203.0.113.7"),
        (" 203.0.113.7/24 ", "ip:203.0.113.0/24"),
        ("2001:db8::1", "ip:2001:db8::/64"),
        ("2001:db8:1::/48", "ip:2001:db8:1::/48"),
    ],
)
def test_addresses_are_normalized(text: str, name: str) -> None:
    assert subjects.from_address(text).name == name


@pytest.mark.parametrize("text", ["", "local", "203.0.113", "0.0.0.0/0", "::/0", "2001::/15"])
def test_texts_and_very_large_networks_are_rejected(text: str) -> None:
    with pytest.raises(InvalidRequest):
        subjects.from_address(text)
