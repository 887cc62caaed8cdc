"""The chat in pages of other sites: an element, and a page for iframes."""

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.views.decorators.http import condition, require_safe
from django.views.generic import TemplateView

from chat.env_parsers import parse_list
from chat.pages.views import POLICY
from chat.settings import chat_settings

# Pages of all origins may load the scripts, as they may load those of any package server.
SHARED = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "no-cache",
}
# What the element imports to show replies and files. Its address does not change with the version.
RENDERER = """\
export {{ Markdown }} from "{markdown}";
export {{ Reasoning, splitReasoning }} from "{reasoning}";
export {{ FileList }} from "{files}";
"""


@cache
def element() -> bytes:
    """Return the built script of the element."""
    return Path(str(finders.find("chat/embed/parley-chat.js"))).read_bytes()


@cache
def _compressed_element() -> bytes:
    return gzip.compress(element(), 9, mtime=0)


@cache
def _etag(*_: Any) -> str:
    return f'"{hashlib.sha256(element()).hexdigest()[:16]}"'


@require_safe
@condition(etag_func=lambda _: _etag())
def element_script(request: HttpRequest) -> HttpResponse:
    """Return the script that defines the element."""
    headers = {**SHARED, "Vary": "Accept-Encoding"}
    body = element()
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = _compressed_element()
    return HttpResponse(body, content_type="text/javascript; charset=utf-8", headers=headers)


@require_safe
def renderer_script(_: HttpRequest) -> HttpResponse:
    """Return a module that exports the chat page's Markdown renderer and list of files."""
    names = ("markdown", "reasoning", "files")
    body = RENDERER.format(**{name: static(f"chat/{name}.js") for name in names})
    return HttpResponse(body, content_type="text/javascript; charset=utf-8", headers=SHARED)


def ancestors() -> list[str]:
    """Return the origins whose pages may show the frame."""
    return parse_list(chat_settings.FRAME_ANCESTORS)


class Frame(TemplateView):
    """The element as a page, for the iframes of CHAT_FRAME_ANCESTORS. It contains no secrets."""

    template_name = "chat/frame.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            ancestors=" ".join(ancestors()), name=chat_settings.PAGE_NAME, **kwargs
        )

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Render the page with the policy of the chat page, except for its ancestors."""
        allowed = " ".join(ancestors()) or "'none'"
        policy = (POLICY % "").replace("frame-ancestors 'none'", f"frame-ancestors {allowed}")
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
        response = super().render_to_response(context, headers=headers, **kwargs)
        # The older header, X-Frame-Options, knows no origins.
        response.xframe_options_exempt = bool(ancestors())
        return response
