"""The chat page: static files and a policy; all that it shows it asks the API for."""

from typing import Any

from django.http import HttpResponse
from django.views.generic import TemplateView

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    # No text becomes HTML but through the sanitiser.
    "require-trusted-types-for 'script'; trusted-types dompurify"
)
"""Content-Security-Policy: tighter than that of the other pages, because strangers write here."""

MODULES = [
    f"chat/{name}.js"
    for name in (
        *("api", "chat", "conversation", "dom", "log"),
        *("markdown", "sessions", "transport", "words"),
        *("vendor/dompurify", "vendor/highlight", "vendor/marked"),
    )
]
"""What app.js imports, named in the page so that browsers fetch all of it at once."""


class Page(TemplateView):
    """The one page, of which there is nothing to keep secret."""

    template_name = "chat/page.html"
    extra_context = {"modules": MODULES}

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Give the page under its own policy; browsers ask whether it has changed."""
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
        return super().render_to_response(context, headers=headers, **kwargs)
