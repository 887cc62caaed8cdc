"""The renderer and the page for other sites."""

import pytest
from django.test import Client, override_settings


def test_pages_of_all_origins_may_load_the_renderer(client: Client) -> None:
    response = client.get("/embed/markdown.js")
    assert response["Access-Control-Allow-Origin"] == "*"
    assert response["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response["Content-Type"].startswith("text/javascript")


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
