"""Allowed and forbidden URLs of clients."""

import ipaddress

import pytest
from pytest_django import Settings

from chat.domain.errors import ForbiddenURL
from chat.http import ssrf

pytestmark = pytest.mark.security("S31")

PRIVATE = [
    *("127.0.0.1", "127.8.8.8", "0.1.2.3", "10.0.0.1", "172.16.3.4", "192.168.1.1", "100.64.0.1"),
    *(
        "169.254.169.254",
        "169.254.170.2",
        "168.63.129.16",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
    ),
    *(
        "255.255.255.255",
        "192.0.2.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
    ),
    # IPv4 in IPv6: mapped, compatible, translated, 6to4, Teredo; and site-local.
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1"),
    *("64:ff9b:1::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "fec0::1", "2001:db8::1"),
]
PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("text", PRIVATE)
def test_private_address_is_forbidden(text: str) -> None:
    assert not ssrf.is_allowed(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public_address_is_allowed(text: str) -> None:
    assert ssrf.is_allowed(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3"])
def test_network_in_the_settings_is_allowed(text: str, settings: Settings) -> None:
    settings.CHAT_WEBHOOK_ALLOWED_NETWORKS = "10.1.0.0/16, fd00::/8"
    assert ssrf.is_allowed(ipaddress.ip_address(text))
    assert not ssrf.is_allowed(ipaddress.ip_address("10.2.0.1"))


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "example.org",
            "//example.org",
            "http://",
            "https://:443/",
            "http://[::1",
            "http://a:b",
        ),
        *("ftp://example.org", "file:///etc/passwd", "gopher://example.org", "javascript:alert(1)"),
        *("redis://example.org", "unix:///run/redis.sock", "http+unix://%2Frun%2Fredis.sock/"),
        *("http://user@example.org", "http://example.org@127.0.0.1", "http://a:b@example.org"),
        *("http://127.0.0.1", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0/"),
        *("http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/"),
        *(
            "http://169.254.169.254/latest/meta-data/",
            "http://[fe80::1%25eth0]/",
            "http://10.0.0.1:6379",
        ),
        *("http://example.org/\r\nX: y", "http://example.org/\u2028", "http://exa mple.org"),
        *("http:\\\\127.0.0.1\\", "http://éxample.org", "http://example.org/" + "x" * 2048),
    ],
)
def test_invalid_or_private_url_is_rejected_without_lookup(url: str) -> None:
    with pytest.raises(ForbiddenURL):
        ssrf.check(url, param="url")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/hook?a=b#c",
        "http://example.org:8080",
        "https://8.8.8.8/",
        "https://xn--xample-9ua.org",
    ],
)
def test_public_url_is_accepted(url: str) -> None:
    ssrf.check(url)
