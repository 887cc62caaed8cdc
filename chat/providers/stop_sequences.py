"""Cut a reply at a stop sequence, for what servers do not cut themselves."""

from collections.abc import Iterable
from dataclasses import replace

from chat.domain import Completion, FinishReason
from chat.providers.base import StreamItem

# Characters of trailing whitespace to buffer.
_MAX_BUFFERED_BLANKS = 4096


class Truncator:
    """Ends a reply at the first of its stop sequences.

    The joined result does not depend on how the text is split: the possible start of a stop, and
    whitespace that may have to be removed, are buffered until the next item decides, or until the
    stream fails. A reply that reaches a stop gets the finish reason "stop", whatever the vendor
    reports.
    """

    def __init__(self, stops: Iterable[str], *, strip: bool = False) -> None:
        """Create a truncator for one reply.

        strip: also remove whitespace at either end of the reply.
        """
        texts = tuple(filter(None, stops))
        self._cutter = _Cutter(texts, strip=strip) if texts else None
        # Whether the reply has ended, so that the rest of the stream need not be read.
        self.is_done = False

    def feed(self, item: StreamItem) -> StreamItem:
        """Return what replaces the next item of a reply."""
        if self._cutter is None:
            return item
        text, other = item
        if isinstance(other, Completion):
            reply, is_cut = self._cutter.add_last(text)
            self.is_done = True
            return reply, _with_stop_reason(other) if is_cut else other
        reply, self.is_done = self._cutter.add(text)
        return reply, _with_stop_reason(None) if self.is_done else other

    def received(self) -> str:
        """Return the text that is buffered when the stream fails."""
        return self._cutter.received() if self._cutter else ""


class _Cutter:
    """Buffers text that may be the start of a stop, or trailing whitespace."""

    def __init__(self, stops: tuple[str, ...], *, strip: bool) -> None:
        self._stops = stops
        self._strip = strip
        self._buffer = ""
        # Whether text has been returned.
        self._has_started = False

    def add(self, text: str) -> tuple[str, bool]:
        """Return the text that belongs to the reply, and whether a stop ends it."""
        self._append(text)
        overlap = max(_overlap(self._buffer, stop) for stop in self._stops)
        decided = len(self._buffer) - overlap
        found = self._find()
        if found is not None and found <= decided:
            return self._end(found), True
        size = _safe_length(self._buffer, decided) if self._strip else decided
        reply, self._buffer = self._buffer[:size], self._buffer[size:]
        self._has_started = self._has_started or bool(reply)
        return reply, False

    def add_last(self, text: str) -> tuple[str, bool]:
        """Return the rest of the reply, and whether a stop ends it."""
        self._append(text)
        found = self._find()
        return self._end(len(self._buffer) if found is None else found), found is not None

    def received(self) -> str:
        """Return the text that is buffered when the stream breaks off.

        It is empty if it would be the first text: a call without text can be retried.
        """
        return self._end(len(self._buffer)) if self._has_started else ""

    def _find(self) -> int | None:
        """Return where the first stop begins."""
        found = (self._buffer.find(stop) for stop in self._stops)
        return min((start for start in found if start >= 0), default=None)

    def _append(self, text: str) -> None:
        self._buffer += text
        if self._strip and not self._has_started:
            self._buffer = self._buffer.lstrip()

    def _end(self, size: int) -> str:
        reply = self._buffer[:size]
        return reply.rstrip() if self._strip else reply


def _safe_length(text: str, decided: int) -> int:
    """Return how many characters of `text` belong to the reply whatever follows."""
    written = len(text[:decided].rstrip())
    return written if decided - written <= _MAX_BUFFERED_BLANKS else decided


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest suffix of `text` that is a proper prefix of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)


def _with_stop_reason(completion: Completion | None) -> Completion:
    if completion is None:
        return Completion(finish_reason=FinishReason.STOP)
    return replace(completion, finish_reason=FinishReason.STOP)
