"""Long-polls: async views that wait for news without holding a thread."""

from collections.abc import Awaitable, Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse

from chat.api import answers, auth, headers, queries, shapes
from chat.api.exception_handler import answer
from chat.errors import ParleyError
from chat.services import streams

View = Callable[[HttpRequest, str], Awaitable[HttpResponse]]


def answering_errors(view: View) -> View:
    """Answer Parley's errors as REST does."""

    @wraps(view)
    async def answered(request: HttpRequest, session_id: str) -> HttpResponse:
        try:
            return await view(request, session_id)
        except ParleyError as error:
            return answer(error, request)

    return answered


@answering_errors
async def session(request: HttpRequest, session_id: str) -> HttpResponse:
    """Read the session as soon as it has changed, or after `wait` seconds."""
    caller = auth.owner(request.META, session_id)
    query = queries.snapshot(request.GET)
    known = headers.known_seq(request.META, query.after, query.limit)
    snapshot = await streams.changed(
        caller, known=known, after=query.after, limit=query.limit, wait=query.wait
    )
    if snapshot is None:
        return answers.unchanged(known, query.after, query.limit)
    return answers.tagged(shapes.snapshot(snapshot), snapshot.seq, query.after, query.limit)
