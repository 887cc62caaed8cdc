"""The chat page: static files that call the API."""

import re
from functools import cache
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

import orjson
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.views.decorators.http import require_safe

from chat.pages import branding, encoding
from chat.settings import chat_settings

# Content-Security-Policy. Stricter than on other pages: this page shows untrusted text.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'%s; font-src 'self'; "
    # Images of messages are downloaded with the token, and shown as blobs.
    "img-src 'self' blob:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; "
    # Text becomes HTML only through the sanitizer.
    "require-trusted-types-for 'script'; trusted-types dompurify"
)
# A logo that is opened directly may not run scripts.
LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
LOGO_SECONDS = 3600
# Seconds that the page's sessions live after their last activity.
SESSION_TTL = 30 * 86400

APP = "chat/app.js"
# The relative path of a module that another one imports at its start.
IMPORT = re.compile(r'^(?:import|export)\b[^;]* from "(\./[^"]+)"', re.MULTILINE)


@cache
def preloaded() -> tuple[str, ...]:
    """Return the modules that app.js needs at its start; the page loads them in parallel."""
    found, pending = {APP}, [APP]
    while pending:
        module = pending.pop()
        text = Path(str(finders.find(module))).read_text()
        paths = {normpath(join(dirname(module), each)) for each in IMPORT.findall(text)}
        pending += paths - found
        found |= paths
    return tuple(sorted(found - {APP}))


@cache
def page_config() -> dict[str, Any]:
    """Return what the page's scripts need of the settings. Everyone can read it."""
    return {
        "name": chat_settings.PAGE_NAME,
        "contact": chat_settings.PAGE_CONTACT,
        "titles": chat_settings.TITLES,
        "ttl": min(SESSION_TTL, chat_settings.MAX_SESSION_TTL),
        "maxContentChars": chat_settings.MAX_CONTENT_CHARS,
        "maxContentBytes": chat_settings.MAX_CONTENT_BYTES,
        "maxFileBytes": chat_settings.MAX_FILE_BYTES,
        "maxCommentChars": chat_settings.MAX_COMMENT_CHARS,
    }


@require_safe
def chat_page(request: HttpRequest) -> HttpResponse:
    """Return the chat page with its own policy; it contains no secrets."""
    policy = POLICY % branding.style_source()
    return encoding.respond(request, _html(), {"Content-Security-Policy": policy})


def _html() -> bytes:
    context = {
        "modules": preloaded(),
        "style": branding.style(),
        "config": page_config(),
        "suggestions": branding.suggestions(),
        "has_logo": bool(chat_settings.PAGE_LOGO),
    }
    return render_to_string("chat/page.html", context).encode()


def prepare() -> None:
    """Render and compress the page before the first request."""
    encoding.encode(_html())


@require_safe
def manifest(_: HttpRequest) -> HttpResponse:
    """Describe the page for installation as an app."""
    name = chat_settings.PAGE_NAME
    icon = "logo" if chat_settings.PAGE_LOGO else static("chat/icon.svg")
    fields = {
        "name": name,
        "short_name": name,
        "start_url": "./",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": chat_settings.PAGE_COLOR or "#2a57c5",
        "icons": [{"src": icon, "sizes": "any"}],
    }
    return HttpResponse(orjson.dumps(fields), content_type="application/manifest+json")


@require_safe
def logo(_: HttpRequest) -> HttpResponse:
    """Return the operator's logo."""
    found = branding.logo()
    if found is None:
        raise Http404
    headers = {
        "Content-Security-Policy": LOGO_POLICY,
        "Cache-Control": f"public, max-age={LOGO_SECONDS}",
    }
    return HttpResponse(found[0], content_type=found[1], headers=headers)
