"""A reply that can be read while the model writes it."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Protocol, Self

from parley_client.errors import ReplyFailed
from parley_client.messages import Message
from parley_client.stream import Subscription, Update


class Delta(str):
    """Text that a reply has grown by."""

    __slots__ = ("is_restart",)

    # The reply was restarted, for example after its worker was lost: this delta is the beginning
    # of the new text, and all deltas before it are void.
    is_restart: bool

    def __new__(cls, text: str, *, is_restart: bool = False) -> Self:
        delta = super().__new__(cls, text)
        delta.is_restart = is_restart
        return delta


class _SessionProtocol(Protocol):
    """The part of a session that its replies use."""

    def subscribe(self, after: int) -> Subscription: ...
    def message(self, message_id: str) -> Message: ...
    def cancel(self, message_id: str) -> Message: ...
    def regenerate(
        self, message_id: str, *, options: Mapping[str, object] | None = None
    ) -> "Reply": ...


class Reply:
    """The reply to one message.

    Iterate over it to read its text in deltas, from the beginning and as the model writes it. You
    can stop iterating and start again at any time.
    """

    def __init__(
        self, session: _SessionProtocol, message: Message, *, request_id: str = ""
    ) -> None:
        # The latest known state. While the reply grows, `content` lags behind `partial_text`.
        self.message = message
        # Request id of the call that created the reply; empty if it was looked up later.
        self.request_id = request_id
        self._session = session
        self._cursor = message.seq
        self._deltas = [message.content]
        # The reasoning that has been read so far.
        self.reasoning = message.reasoning

    @property
    def id(self) -> str:
        return self.message.id

    @property
    def has_ended(self) -> bool:
        """Whether the end of the reply has been read."""
        return self.message.has_ended

    @property
    def partial_text(self) -> str:
        """The text that has been read so far; never blocks."""
        return "".join(self._deltas)

    @property
    def text(self) -> str:
        """The complete text; blocks until the reply ends.

        The text of a cancelled or incomplete reply is partial: see `message.status`.

        Raises:
            ReplyFailed, APIStatusError, APIConnectionError
        """
        for _ in self.updates():
            pass
        return self.partial_text

    def __iter__(self) -> Iterator[Delta]:
        """Yield the text: first what has arrived already, then each delta as it arrives.

        Raises:
            ReplyFailed: the turn ended without a reply.
            APIStatusError: the session or the message no longer exists.
            APIConnectionError
        """
        is_restart = False
        if text := self.partial_text:
            yield Delta(text)
        for delta in self.updates():
            is_restart |= delta.is_restart
            if delta:
                yield Delta(delta, is_restart=is_restart)
                is_restart = False

    def updates(self) -> Iterator[Delta]:
        """Yield each new delta, and "" after other changes of `message`, such as its status.

        Raises:
            ReplyFailed, APIStatusError, APIConnectionError
        """
        subscription = self._session.subscribe(self._cursor)
        with closing(subscription.updates()) as updates:
            while not self.has_ended:
                delta = self._apply(next(updates))
                self._cursor = subscription.cursor
                if delta is not None:
                    yield delta
        if self.message.status in {"failed", "expired"}:
            raise self._failure()

    def cancel(self) -> None:
        """Stop the reply and keep its partial text. May be called from another thread."""
        self._session.cancel(self.id)

    def regenerate(self, *, options: Mapping[str, object] | None = None) -> "Reply":
        """Request another reply to the same message, which must be the session's last one."""
        return self._session.regenerate(self.id, options=options)

    def _apply(self, update: Update) -> Delta | None:
        """Apply an update; return `None` if it does not concern this reply."""
        if "messages" in update:
            return self._apply_snapshot(update)
        if update.get("message_id") != self.id:
            return None
        if update["type"] == "message.delta":
            self._deltas.append(update["delta"])
            return Delta(update["delta"])
        if update["type"] == "message.reasoning":
            self.reasoning += update["delta"]
            return Delta("")
        if update["type"] == "message.restarted":
            self.reasoning = ""
        message = update.get("reply") or update.get("message")
        return self._replace_message(Message.from_json(message)) if message else None

    def _apply_snapshot(self, snapshot: Update) -> Delta | None:
        """Apply a snapshot, which omits messages that are unchanged, deleted or too old."""
        for message in snapshot["messages"]:
            if message["id"] == self.id:
                return self._read_message(Message.from_json(message))
        # A poll has all messages that have changed, a snapshot in an event stream the newest only.
        is_too_old = snapshot.get("type") == "snapshot" and snapshot["has_more"]
        if snapshot["status"] == "idle" or is_too_old:
            return self._read_message(self._session.message(self.id))
        return None

    def _read_message(self, message: Message) -> Delta:
        """Store a message with its items, which those of events do not have."""
        self.reasoning = message.reasoning
        return self._replace_message(message)

    def _replace_message(self, message: Message) -> Delta:
        """Store the new state of the message; return the new part of its text."""
        before = self.partial_text
        self.message = message
        if message.content.startswith(before):
            rest = message.content[len(before) :]
            self._deltas.append(rest)
            return Delta(rest)
        self._deltas = [message.content]
        return Delta(message.content, is_restart=True)

    def _failure(self) -> ReplyFailed:
        error = self.message.error
        code = error.code if error else self.message.status
        text = error.message if error else "The turn missed its deadline."
        return ReplyFailed(code, text, request_id=self.request_id)
