"""The client's IP address."""

import pytest
from pytest_django import Settings

from chat.accounts import client_ip

pytestmark = pytest.mark.security("S22", "S53")

PROXY = "10.0.0.1"


def client(peer: str, forwarded: str = "") -> str:
    return client_ip.client_address({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded})


def test_header_is_ignored_without_a_trusted_proxy() -> None:
    assert client("1.1.1.1", "9.9.9.9") == "1.1.1.1"
    assert client("", "9.9.9.9") == client_ip.LOCAL


@pytest.mark.parametrize("peer", ["1.1.1.1", "127.0.0.1", "10.1.0.1", "", "fd00::1"])
def test_header_is_ignored_from_other_peers(settings: Settings, peer: str) -> None:
    settings.CHAT_TRUSTED_PROXIES = PROXY
    assert client(peer, "9.9.9.9") == client(peer)


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("", PROXY),
        ("9.9.9.9", "9.9.9.9"),
        ("8.8.8.8, 9.9.9.9", "9.9.9.9"),
        ("8.8.8.8, 10.0.0.2", "8.8.8.8"),
        ("7.7.7.7,8.8.8.8, 10.0.0.3 , 10.0.0.2", "8.8.8.8"),
        ("7.7.7.7, fd00::2", "7.7.7.7"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("9.9.9.9, unknown", client_ip.LOCAL),
        ("9.9.9.9, unix:", client_ip.LOCAL),
        ("9.9.9.9,", client_ip.LOCAL),
    ],
)
def test_last_address_that_is_no_proxy_is_the_client(
    settings: Settings, forwarded: str, expected: str
) -> None:
    settings.CHAT_TRUSTED_PROXIES = "10.0.0.0/29, fd00::/8"
    assert client(PROXY, forwarded) == expected
    assert client(f"::ffff:{PROXY}", forwarded) == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("9.9.9.9:1234", "9.9.9.9"),
        ("9.9.9.9:", "9.9.9.9"),
        ("[2001:db8:1:2::9]:1234", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("[fe80::1%25eth0]:443", "fe80::/64"),
        ("[::ffff:9.9.9.9]:1234", "9.9.9.9"),
        ("[10.0.0.9]", "10.0.0.9"),
        ("9.9.9.9:port", client_ip.LOCAL),
        ("[junk]:1", client_ip.LOCAL),
        ("[]", client_ip.LOCAL),
    ],
)
def test_ports_and_zones_are_no_part_of_the_address(
    settings: Settings, entry: str, expected: str
) -> None:
    settings.CHAT_TRUSTED_PROXIES = PROXY
    assert client(PROXY, entry) == expected


@pytest.mark.parametrize("peer", ["", "unix:"])
def test_proxy_on_a_unix_socket_is_trusted_by_its_own_word(settings: Settings, peer: str) -> None:
    settings.CHAT_TRUSTED_PROXIES = "127.0.0.1"
    assert client(peer, "9.9.9.9") == client_ip.LOCAL
    settings.CHAT_TRUSTED_PROXIES = "127.0.0.1, unix"
    assert client(peer, "9.9.9.9") == "9.9.9.9"
    assert client("127.0.0.1", "9.9.9.9, unix:") == "9.9.9.9"


def test_forwarded_proto_is_believed_from_proxies_only(settings: Settings) -> None:
    settings.CHAT_TRUSTED_PROXIES = PROXY
    for peer, expected in ((PROXY, {"HTTP_X_FORWARDED_PROTO": "https"}), ("1.1.1.1", {})):
        meta = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_PROTO": "HTTPS"}
        client_ip.remove_untrusted_headers(meta)
        assert meta == {"REMOTE_ADDR": peer} | expected


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


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("1.2.3.4", "1.2.3.4"),
        ("", client_ip.LOCAL),
    ],
)
def test_network_of_a_customer_is_a_48(peer: str, expected: str) -> None:
    assert client_ip.network_of(client(peer)) == expected
