"""URLs of images, which a model's server may fetch."""

import pytest

from chat.domain.errors import ForbiddenURL
from chat.domain.files import is_image_url

pytestmark = pytest.mark.security("S31")


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "0x7f000001", "2130706433", "10.0.0.1:8000", "169.254.169.254"),
        *("[::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "[fe80::1%25eth0]", "0"),
        *("localhost", "LOCALHOST", "localhost.", "redis", "redis.", "a.localhost", "nas.local"),
        *("metadata.google.internal", "router.home.arpa", "user@example.org", "example.org\\@10.1"),
    ],
)
def test_image_of_an_internal_host_is_forbidden(host: str) -> None:
    with pytest.raises(ForbiddenURL):
        is_image_url(f"https://{host}/a.png")


@pytest.mark.parametrize(
    "host",
    ["example.org", "8.8.8.8", "[2606:4700:4700::1111]:8443", "local.example", "127.0.0.1.example"],
)
def test_image_of_a_public_host_is_allowed(host: str) -> None:
    assert is_image_url(f"https://{host}/a.png")


@pytest.mark.parametrize(
    "url", ["", "http://example.org/a", "data:image/png;base64,AA==", "https:"]
)
def test_other_texts_are_no_url_of_an_image(url: str) -> None:
    assert not is_image_url(url)
