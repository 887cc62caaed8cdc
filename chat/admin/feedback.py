"""The feedback page: rated replies of all sessions, newest first, in a list or one by one."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse

from chat.admin import views
from chat.admin.errors import handle_store_errors
from chat.admin.querysets import to_datetime
from chat.conversation import feedback
from chat.conversation.feedback import FeedbackEntry, RatedReply, Rating

TEMPLATE = "admin/chat/feedback.html"
PAGE_SIZE = 20
# Choices of `?rating=`.
RATINGS = {"down": Rating.DOWN, "up": Rating.UP, "all": None}


@handle_store_errors
def page(request: HttpRequest) -> HttpResponse:
    """Show rated replies older than `?before=` or newer than `?after=`, which are cursors.

    `?one=1` shows a single one with its whole text.

    Raises:
        PermissionDenied: the user may not view sessions.
    """
    views.require(request, "view")
    chosen = request.GET.get("rating", "down")
    chosen = chosen if chosen in RATINGS else "down"
    is_single = request.GET.get("one") == "1"
    entries, older, newer = _entries(request, RATINGS[chosen], 1 if is_single else PAGE_SIZE)
    query = {"rating": chosen} | ({"one": "1"} if is_single else {})
    return views.show(
        request,
        TEMPLATE,
        title="Feedback",
        chosen=chosen,
        ratings=list(RATINGS),
        is_single=is_single,
        entries=[_row(entry, chosen) for entry in entries],
        older=older and urlencode(query | {"before": str(older)}),
        newer=newer and urlencode(query | {"after": str(newer)}),
    )


def _entries(
    request: HttpRequest, rating: Rating | None, size: int
) -> tuple[list[FeedbackEntry], RatedReply | None, RatedReply | None]:
    """Return a page, newest first, and the cursors to older and newer ones, if there are any."""
    before = RatedReply.from_text(request.GET.get("before", ""))
    after = RatedReply.from_text(request.GET.get("after", ""))
    cursor, newer = (after, True) if after else (before, False)
    found = feedback.list_feedback(rating=rating, cursor=cursor, newer=newer, limit=size + 1)
    page, has_more = found[:size], len(found) > size
    if newer:
        page.reverse()
    has_older, has_newer = (True, has_more) if newer else (has_more, before is not None)
    if not page:
        return [], None, None
    first, last = page[0].rated, page[-1].rated
    return page, last if has_older else None, first if has_newer else None


def _row(entry: FeedbackEntry, chosen: str) -> dict[str, Any]:
    rated = entry.rated
    return {
        "entry": entry,
        "at": to_datetime(rated.at / 1000),
        "comment": (entry.reply.get("feedback") or {}).get("comment", ""),
        # The page of the session with this reply at its end.
        "before": rated.number + 1,
        # A cursor just above this one.
        "single": urlencode(
            {
                "rating": chosen,
                "one": "1",
                "before": str(RatedReply(rated.at + 1, "ses_0", 0, rated.rating)),
            }
        ),
    }
