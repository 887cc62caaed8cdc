"""What can go wrong, from a client's side.

ParleyError
├── Refusal          Parley answered, and will not do what was asked
├── Unreachable      nobody answered in time
│   └── Silent       somebody did, and then said nothing more
└── ReplyFailed      the message was accepted, and there is no reply to it
"""

LOST = frozenset({"invalid_token", "session_expired", "session_not_found"})
"""Codes of a token that opens no session, or none any more."""


class ParleyError(Exception):
    """Something went wrong; `code` is stable, `message` is for people."""

    def __init__(self, code: str, message: str, *, request_id: str = "") -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.request_id = request_id
        """By which the server's logs can be searched; empty when there was no answer."""


class Refusal(ParleyError):
    """Parley refused the call; nothing was changed."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int,
        request_id: str = "",
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code, message, request_id=request_id)
        self.status = status
        """The HTTP status."""
        self.param = param
        """What of the request is wrong, as a dotted path."""
        self.retry_after = retry_after
        """Seconds after which another try makes sense."""

    @property
    def is_lost(self) -> bool:
        """Whether the token opens no session, or none any more."""
        return self.code in LOST


class Unreachable(ParleyError):
    """Nobody answered. A message that was being posted may or may not have been accepted."""

    def __init__(self, message: str) -> None:
        super().__init__("unreachable", message)


class Silent(Unreachable):
    """The connection stands, and nothing comes over it."""


class ReplyFailed(ParleyError):
    """The turn ended without a reply; its message tells why."""
