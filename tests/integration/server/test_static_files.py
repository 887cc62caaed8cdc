"""Static files have versioned URLs and are compressed beforehand; the page has the branding."""

import gzip
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest
import requests

from project.runner import commands
from tests.harness.ports import free_port
from tests.harness.processes import Process
from tests.harness.stack import Stack

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.fixture(scope="module")
def branded_url(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a web process with a name, a colour and a logo."""
    directory = tmp_path_factory.mktemp("branded")
    logo = directory / "logo.svg"
    logo.write_text(SVG)
    branding = {"NAME": "Ada & Co", "COLOR": "#e91e63", "LOGO": str(logo)}
    env = stack.env | {f"CHAT_PAGE_{name}": value for name, value in branding.items()}
    port = free_port()
    web = Process(
        commands.web(port=port, env=env), directory / "log", url=f"http://127.0.0.1:{port}"
    )
    try:
        yield web.start().url
    finally:
        web.ensure_stopped()


@pytest.fixture(scope="module", autouse=True)
def compressed_files(stack: Stack) -> None:
    """Compress the static files, as `make run` and the image do."""
    argv = [sys.executable, "manage.py", "compressstatic"]
    subprocess.run(argv, env=stack.env, check=True, capture_output=True)


def get(
    url: str, encoding: str = "identity", method: str = "GET", etag: str = ""
) -> requests.Response:
    """Return the response with its body as it was sent."""
    headers = {"Accept-Encoding": encoding, "If-None-Match": etag}
    response = requests.request(method, url, headers=headers, stream=True, timeout=10)
    response._content = response.raw.read(decode_content=False)
    return response


def test_files_are_compressed_and_cached_until_they_change(stack: Stack) -> None:
    url = stack.web().url
    found = re.search(
        r'src="(/static/([0-9a-f]{12})/chat/app\.js)"', requests.get(url, timeout=5).text
    )
    assert found
    path, version = found.groups()
    plain = get(url + path)
    assert plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert plain.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "Content-Security-Policy" in plain.headers
    assert plain.content == Path("chat/static/chat/app.js").read_bytes()
    brotlied, gzipped = get(url + path, "gzip, deflate, br;q=0.9"), get(url + path, "br;q=0, gzip")
    assert (brotlied.headers["Content-Encoding"], brotlied.headers["Vary"]) == (
        "br",
        "Accept-Encoding",
    )
    assert brotli.decompress(brotlied.content) == plain.content
    assert gzip.decompress(gzipped.content) == plain.content
    head = get(url + path, "br", "HEAD")
    assert head.content == b""
    assert head.headers["Content-Length"] == str(len(brotlied.content))
    font = get(f"{url}/static/{version}/chat/vendor/fonts/KaTeX_Main-Regular.woff2", "br, gzip")
    assert font.headers["Content-Type"] == "font/woff2"
    assert "Content-Encoding" not in font.headers


@pytest.mark.parametrize("path", ["/", "/embed", "/embed/parley-chat.js"])
def test_pages_and_element_are_compressed_and_revalidated(stack: Stack, path: str) -> None:
    url = stack.web().url + path
    plain, brotlied, gzipped = (get(url, encoding) for encoding in ("", "gzip, br", "gzip"))
    assert brotli.decompress(brotlied.content) == plain.content
    assert gzip.decompress(gzipped.content) == plain.content
    assert brotlied.headers["Cache-Control"] == "no-cache"
    again = get(url, "gzip, br", etag=brotlied.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    # A browser replaces the headers that it has stored with these.
    for name in ("Content-Security-Policy", "Referrer-Policy", "Vary"):
        assert again.headers[name] == plain.headers[name]


def test_element_is_small_and_for_pages_of_all_origins(stack: Stack) -> None:
    script = get(f"{stack.web().url}/embed/parley-chat.js", "gzip")
    assert len(script.content) < 15 * 1024
    assert script.headers["Access-Control-Allow-Origin"] == "*"
    assert script.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"


def test_page_of_another_version_gets_files_that_are_not_cached(stack: Stack) -> None:
    url = stack.web().url
    other = get(f"{url}/static/0123456789ab/chat/app.js")
    assert (other.status_code, other.headers["Cache-Control"]) == (200, "no-cache")
    assert get(f"{url}/static/0123456789ab/chat/nope.js").status_code == 404
    assert get(f"{url}/static/0123456789ab/chat/app.js", method="POST").status_code == 405


def test_page_has_the_name_logo_and_colour_of_the_operator(branded_url: str) -> None:
    page = requests.get(branded_url, timeout=5)
    assert "<title>Ada &amp; Co</title>" in page.text
    assert "<style>:root{--accent:#" in page.text
    assert "style-src 'self' 'sha256-" in page.headers["Content-Security-Policy"]
    manifest = requests.get(f"{branded_url}/manifest.webmanifest", timeout=5)
    assert manifest.headers["Content-Type"] == "application/manifest+json"
    assert (manifest.json()["name"], manifest.json()["theme_color"]) == ("Ada & Co", "#e91e63")
    logo = requests.get(f"{branded_url}/{manifest.json()['icons'][0]['src']}", timeout=5)
    assert (logo.text, logo.headers["Content-Type"]) == (SVG, "image/svg+xml")
    # Opened directly, the logo cannot run its script.
    assert "sandbox" in logo.headers["Content-Security-Policy"]


def test_page_without_a_logo_has_the_default_icon(stack: Stack) -> None:
    url = stack.web().url
    assert requests.get(f"{url}/logo", timeout=5).status_code == 404
    icon = requests.get(f"{url}/manifest.webmanifest", timeout=5).json()["icons"][0]["src"]
    assert (
        requests.get(url + icon, timeout=5).headers["Content-Type"]
        == "image/svg+xml; charset=utf-8"
    )
