"""The chat in pages of other sites: an element, and a page for iframes."""

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.views.decorators.http import require_safe

from chat.env_parsers import parse_list
from chat.pages import encoding
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


@require_safe
def renderer_script(_: HttpRequest) -> HttpResponse:
    """Return a module that exports the chat page's Markdown renderer and list of files."""
    names = ("markdown", "reasoning", "files")
    body = RENDERER.format(**{name: static(f"chat/{name}.js") for name in names})
    return HttpResponse(body, content_type="text/javascript; charset=utf-8", headers=SHARED)


def ancestors() -> list[str]:
    """Return the origins whose pages may show the frame."""
    return parse_list(chat_settings.FRAME_ANCESTORS)


@require_safe
def frame(request: HttpRequest) -> HttpResponse:
    """Return the element as a page, for the iframes of CHAT_FRAME_ANCESTORS.

    Its policy is that of the chat page, except for its ancestors. It contains no secrets.
    """
    allowed = " ".join(ancestors()) or "'none'"
    policy = (POLICY % "").replace("frame-ancestors 'none'", f"frame-ancestors {allowed}")
    response = encoding.respond(request, _html(), {"Content-Security-Policy": policy})
    # The older header, X-Frame-Options, knows no origins.
    response.xframe_options_exempt = bool(ancestors())
    return response


def _html() -> bytes:
    context = {"ancestors": " ".join(ancestors()), "name": chat_settings.PAGE_NAME}
    return render_to_string("chat/frame.html", context).encode()
