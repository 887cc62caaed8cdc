"""Subscription to a session's updates.

Updates arrive as Server-Sent Events. If the server or a proxy does not support event streams, the
subscription falls back to long polling, and updates are snapshots.
"""

import json
import time
from collections.abc import Generator, Iterator
from typing import Any

from parley_client import sse
from parley_client.errors import APIConnectionError, APIStatusError, APITimeoutError
from parley_client.retry import Backoff
from parley_client.transport import Transport

# An event, or a snapshot of the session, which has no `type`.
Update = dict[str, Any]

# Seconds that a long poll waits for changes; many proxies close idle requests after 30.
LONG_POLL_WAIT = 25.0
# Additional seconds for the response of a long poll.
LONG_POLL_MARGIN = 10.0
# Seconds between two polls: each response contains the whole text of a growing reply.
POLL_INTERVAL = 0.1
# Error codes of servers without event streams.
NO_STREAM_CODES = frozenset({"not_found", "method_not_allowed"})
# After this many consecutive streams without data, assume that a proxy buffers streams.
MAX_SILENT_STREAMS = 2


class Subscription:
    """A subscription to one session, which yields each update once and survives disconnects."""

    def __init__(self, transport: Transport, session_id: str, token: str, cursor: int) -> None:
        # Seq of the last update that was yielded.
        self.cursor = cursor
        self._transport = transport
        self._path = f"/sessions/{session_id}"
        self._token = token
        self._backoff = Backoff(transport.retry_timeout)
        self._silent_streams = 0

    def updates(self) -> Generator[Update]:
        """Yield updates without end; reconnect after failures.

        Raises:
            APIStatusError: the session has ended.
            APIConnectionError: the server has not responded for `retry_timeout` seconds.
        """
        while self._transport.use_stream and self._silent_streams < MAX_SILENT_STREAMS:
            try:
                yield from self._stream()
            except (APIStatusError, APIConnectionError) as error:
                if isinstance(error, APIStatusError) and error.code in NO_STREAM_CODES:
                    break
                self._silent_streams += isinstance(error, APITimeoutError)
                self._backoff.wait(error)
        while True:
            yield self._poll()
            time.sleep(POLL_INTERVAL)

    def _stream(self) -> Iterator[Update]:
        """Yield the events of one stream; always ends with an error."""
        params = {"after": self.cursor}
        path = f"{self._path}/events"
        with self._transport.stream(path, token=self._token, params=params) as chunks:
            for event in sse.events(chunks):
                self._backoff = Backoff(self._transport.retry_timeout)
                self._silent_streams = 0
                if event:
                    yield self._advance(json.loads(event))
        raise APIConnectionError("The event stream was closed.")

    def _poll(self) -> Update:
        """Return a snapshot after the next change, or unchanged after the long-poll wait."""
        started_at, before = time.monotonic(), self.cursor
        params = {"after": before, "wait": LONG_POLL_WAIT}
        response = self._transport.request(
            "GET",
            self._path,
            token=self._token,
            params=params,
            read_timeout=LONG_POLL_WAIT + LONG_POLL_MARGIN,
        )
        is_early = time.monotonic() - started_at < LONG_POLL_WAIT / 2
        if response.body["seq"] == before and is_early:
            time.sleep(response.body["next_poll"])  # this server does not support long polling
        return self._advance(response.body)

    def _advance(self, update: Update) -> Update:
        self.cursor = update.get("seq", self.cursor)
        return update
