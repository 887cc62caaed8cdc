"""The scripts and the page for other sites."""

import gzip

import pytest
from django.test import Client, override_settings

SCRIPT = "/embed/parley-chat.js"


@pytest.mark.parametrize("path", [SCRIPT, "/embed/markdown.js"])
def test_pages_of_all_origins_may_load_the_scripts(client: Client, path: str) -> None:
    response = client.get(path)
    assert response["Access-Control-Allow-Origin"] == "*"
    assert response["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response["Content-Type"].startswith("text/javascript")


def test_element_is_small_and_revalidated(client: Client) -> None:
    response = client.get(SCRIPT, headers={"Accept-Encoding": "gzip"})
    assert len(response.content) < 15 * 1024
    assert gzip.decompress(response.content) == client.get(SCRIPT).content
    again = client.get(SCRIPT, headers={"If-None-Match": response["ETag"]})
    assert again.status_code == 304


@pytest.mark.security("S35")
def test_frame_is_refused_unless_origins_are_listed(client: Client) -> None:
    response = client.get("/embed")
    assert "frame-ancestors 'none';" in response["Content-Security-Policy"]
    assert response["X-Frame-Options"] == "DENY"
    with override_settings(CHAT_FRAME_ANCESTORS="https://a.example, https://b.example:444"):
        response = client.get("/embed")
        page = client.get("/")
    policy = response["Content-Security-Policy"]
    assert "frame-ancestors https://a.example https://b.example:444;" in policy
    assert "X-Frame-Options" not in response
    assert "frame-ancestors 'none';" in page["Content-Security-Policy"]
