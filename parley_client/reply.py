"""A reply, read while it grows."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Protocol, Self

from parley_client.errors import ReplyFailed
from parley_client.follow import Follower, Update
from parley_client.messages import Message


class Delta(str):
    """A piece of a reply's text."""

    __slots__ = ("restarts",)

    restarts: bool
    """The reply begins anew with this piece: what came before it is void. It is so after the worker
    that was writing was lost."""

    def __new__(cls, text: str, *, restarts: bool = False) -> Self:
        delta = super().__new__(cls, text)
        delta.restarts = restarts
        return delta


class Origin(Protocol):
    """The session that a reply belongs to, as far as a reply needs it."""

    def follower(self, cursor: int) -> Follower: ...
    def message(self, message_id: str) -> Message: ...
    def cancel(self, message_id: str) -> Message: ...
    def regenerate(
        self, message_id: str, *, options: Mapping[str, object] | None = None
    ) -> "Reply": ...


class Reply:
    """The reply to one message.

    Iterating over it gives its text piece by piece, from the beginning, as it is written; it may be
    stopped and begun again at any moment.
    """

    def __init__(self, origin: Origin, message: Message, *, request_id: str = "") -> None:
        self.message = message
        """The reply as it was last told of; its `content` lags behind while it grows."""
        self.request_id = request_id
        """Of the call that asked for it."""
        self._origin = origin
        self._cursor = message.seq
        self._pieces = [message.content]

    @property
    def id(self) -> str:
        """The reply's message id."""
        return self.message.id

    @property
    def is_final(self) -> bool:
        """Whether the end of the reply has been read."""
        return self.message.is_final

    @property
    def text_so_far(self) -> str:
        """What has been read of the text; waits for nothing."""
        return "".join(self._pieces)

    @property
    def text(self) -> str:
        """The whole text; waits for its end.

        A reply that was cancelled or cut short is what there is of it: see `message.status`.

        Raises:
            ReplyFailed, Refusal, Unreachable
        """
        for _ in self.changes():
            pass
        return self.text_so_far

    def __iter__(self) -> Iterator[Delta]:
        """Yield the text, what is there first and then each piece as it comes.

        Raises:
            ReplyFailed: there is no reply.
            Refusal: the session, or the message, is gone.
            Unreachable
        """
        restarts = False
        if text := self.text_so_far:
            yield Delta(text)
        for delta in self.changes():
            restarts |= delta.restarts
            if delta:
                yield Delta(delta, restarts=restarts)
                restarts = False

    def changes(self) -> Iterator[Delta]:
        """Yield each piece that is yet to be read, and "" when `message` has changed otherwise.

        Raises:
            ReplyFailed, Refusal, Unreachable
        """
        follower = self._origin.follower(self._cursor)
        with closing(follower.updates()) as updates:
            while not self.is_final:
                delta = self._take(next(updates))
                self._cursor = follower.cursor
                if delta is not None:
                    yield delta
        if self.message.status in {"failed", "expired"}:
            raise self._failure()

    def cancel(self) -> None:
        """End the reply early; what was said of it stays. It may be called from another thread."""
        self._origin.cancel(self.id)

    def regenerate(self, *, options: Mapping[str, object] | None = None) -> "Reply":
        """Ask for another reply to the same message, which must be the session's last."""
        return self._origin.regenerate(self.id, options=options)

    def _take(self, update: Update) -> Delta | None:
        """Learn from an update; `None` when it is not about this reply."""
        if "messages" in update:
            return self._look_up(update)
        if update.get("message_id") != self.id:
            return None
        if update["type"] == "message.delta":
            self._pieces.append(update["delta"])
            return Delta(update["delta"])
        told = update.get("reply") or update.get("message")
        return self._become(Message.of(told)) if told else None

    def _look_up(self, snapshot: Update) -> Delta | None:
        """Learn from a snapshot, which leaves out what has not changed, or is gone or long ago."""
        for told in snapshot["messages"]:
            if told["id"] == self.id:
                return self._become(Message.of(told))
        if snapshot["status"] == "idle":
            return self._become(self._origin.message(self.id))
        return None

    def _become(self, message: Message) -> Delta:
        """Take the message as it now is, and return what is new of its text."""
        before = self.text_so_far
        self.message = message
        if message.content.startswith(before):
            rest = message.content[len(before) :]
            self._pieces.append(rest)
            return Delta(rest)
        self._pieces = [message.content]
        return Delta(message.content, restarts=True)

    def _failure(self) -> ReplyFailed:
        error = self.message.error
        code = error.code if error else self.message.status
        words = error.message if error else "The turn was not over by its deadline."
        return ReplyFailed(code, words, request_id=self.request_id)
