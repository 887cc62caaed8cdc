"""The client's IP address."""

import pytest
from pytest_django import Settings

from chat.accounts import client_ip

pytestmark = pytest.mark.security("S22")


def client(peer: str, forwarded: str = "") -> str:
    return client_ip.client_address({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded})


def test_header_is_ignored_without_a_trusted_proxy() -> None:
    assert client("1.1.1.1", "9.9.9.9") == "1.1.1.1"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (1, "9.9.9.9", "9.9.9.9"),
        (1, "8.8.8.8, 9.9.9.9", "9.9.9.9"),
        (2, "8.8.8.8, 9.9.9.9", "8.8.8.8"),
        (2, "7.7.7.7,8.8.8.8, 9.9.9.9", "8.8.8.8"),
        (2, "9.9.9.9", "1.1.1.1"),
        (1, "junk", client_ip.LOCAL),
    ],
)
def test_each_trusted_proxy_appends_one_entry(
    settings: Settings, proxies: int, forwarded: str, expected: str
) -> None:
    settings.CHAT_TRUSTED_PROXIES = proxies
    assert client("1.1.1.1", forwarded) == expected


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("", client_ip.LOCAL),
    ],
)
def test_addresses_of_one_customer_are_equal(peer: str, expected: str) -> None:
    assert client(peer) == expected
