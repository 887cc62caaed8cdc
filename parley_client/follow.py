"""Following a session: what happens in it after a cursor, each thing once, over any connection.

Events come as Server-Sent Events. Where a server or a proxy does not let those through, the session
is polled instead, with long-polls, and what comes are snapshots.
"""

import json
import time
from collections.abc import Generator, Iterator
from typing import Any

from parley_client import sse
from parley_client.errors import Refusal, Silent, Unreachable
from parley_client.tries import Tries
from parley_client.wire import Wire

Update = dict[str, Any]
"""An event, or a snapshot of the session, which has no `type`."""

WAIT = 25.0
"""Seconds that a long-poll waits for news; many proxies cut at 30."""
MARGIN = 10.0
"""Seconds that its answer may take beyond that."""
PACE = 0.1
"""Seconds between two polls: each brings the whole text of a growing reply."""
NO_EVENTS = frozenset({"not_found", "method_not_allowed"})
"""Codes with which a server tells that it has no event streams."""
SILENCES = 2
"""So many streams in a row without a sign of life are a proxy's doing: it waits for their end."""


class Follower:
    """One session, followed from a cursor on."""

    def __init__(self, wire: Wire, session_id: str, token: str, cursor: int) -> None:
        self.cursor = cursor
        """Seq of the last update that was given."""
        self._wire = wire
        self._path = f"/sessions/{session_id}"
        self._token = token
        self._tries = Tries(wire.patience)
        self._silences = 0

    def updates(self) -> Generator[Update]:
        """Yield what happens, without end; a broken connection is made anew.

        Raises:
            Refusal: the session is gone.
            Unreachable: nobody has answered for as long as there is patience.
        """
        while self._wire.streams and self._silences < SILENCES:
            try:
                yield from self._streamed()
            except (Refusal, Unreachable) as error:
                if isinstance(error, Refusal) and error.code in NO_EVENTS:
                    break
                self._silences += isinstance(error, Silent)
                self._tries.pause(error)
        while True:
            yield self._polled()
            time.sleep(PACE)

    def _streamed(self) -> Iterator[Update]:
        """Yield what one stream brings; however it ends, it ends with an error."""
        params = {"after": self.cursor}
        path = f"{self._path}/events"
        with self._wire.stream(path, token=self._token, params=params) as chunks:
            for event in sse.events(chunks):
                self._tries = Tries(self._wire.patience)
                self._silences = 0
                if event:
                    yield self._seen(json.loads(event))
        raise Unreachable("The stream has ended.")

    def _polled(self) -> Update:
        """Return the session as soon as it has changed, or after a while."""
        asked_at, before = time.monotonic(), self.cursor
        params = {"after": before, "wait": WAIT}
        answer = self._wire.call(
            "GET", self._path, token=self._token, params=params, silence=WAIT + MARGIN
        )
        if answer.body["seq"] == before and time.monotonic() - asked_at < WAIT / 2:
            time.sleep(answer.body["next_poll"])  # this server does not wait
        return self._seen(answer.body)

    def _seen(self, update: Update) -> Update:
        self.cursor = update.get("seq", self.cursor)
        return update
