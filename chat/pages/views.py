"""The chat page: static files that call the API."""

from typing import Any

from django.http import HttpResponse
from django.views.generic import TemplateView

# Content-Security-Policy. Stricter than on other pages: this page shows untrusted text.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    # Text becomes HTML only through the sanitizer.
    "require-trusted-types-for 'script'; trusted-types dompurify"
)

# The modules that app.js imports; the page preloads them in parallel.
MODULES = [
    f"chat/{name}.js"
    for name in (
        "chat",
        "client",
        "code_block",
        "dom",
        "lazy",
        "markdown",
        "markdown_syntax",
        "maths",
        "message_list",
        "reasoning",
        "reply_status",
        "server",
        "sessions",
        "vendor/dompurify",
        "vendor/marked",
    )
]


class ChatPage(TemplateView):
    """The chat page. It contains no secrets."""

    template_name = "chat/page.html"
    extra_context = {"modules": MODULES}

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Render the page with its own policy; browsers must revalidate it."""
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
        return super().render_to_response(context, headers=headers, **kwargs)
