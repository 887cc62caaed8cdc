"""What both views of `GET /sessions/{id}` share.

The async view (`chat.realtime.views`) serves it under `make run`. The sync view
(`chat.api.views.sessions`) serves it under a WSGI server, and rejects a GET with a body.
"""

from dataclasses import dataclass
from typing import Self

from django.http import HttpRequest, HttpResponse

from chat.api import headers, query_params, renderers, responses
from chat.domain import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class PollRequest:
    """The parameters and conditions of a poll."""

    after: int
    limit: int
    wait: float
    # seq of the client's ETag; -1 for none.
    known: int
    # Any state of the session is a 304.
    is_never_modified: bool

    @classmethod
    def parse(cls, request: HttpRequest) -> Self:
        """Read the query and If-None-Match.

        Raises:
            InvalidRequest: the query is invalid.
        """
        query = query_params.snapshot_query(request.GET)
        return cls(
            after=query.after,
            limit=query.limit,
            wait=query.wait,
            known=headers.known_seq(request.META, query.after, query.limit),
            is_never_modified=headers.has_if_none_match_any(request.META),
        )

    def response(self, session: Snapshot | None) -> HttpResponse:
        """Return the session, or 304 if it is `None` because it has not changed since `known`."""
        if session is None:
            return responses.not_modified(self.known, self.after, self.limit)
        if self.is_never_modified:
            return responses.not_modified(session.seq, self.after, self.limit)
        body = renderers.render_session(session)
        return responses.json_with_etag(body, session.seq, self.after, self.limit)
