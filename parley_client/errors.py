"""Exceptions of the client.

ParleyError
├── APIStatusError             the server returned an error status
├── APIConnectionError         the server could not be reached
│   └── APITimeoutError        the connection is open, but no data arrived in time
└── ReplyFailed                the message was accepted, but no reply was produced
"""

# Error codes of tokens without a session: invalid, expired or deleted.
GONE_CODES = frozenset({"invalid_token", "session_expired", "session_not_found"})


class ParleyError(Exception):
    """Base class. `code` is stable; `message` is a sentence for users."""

    def __init__(self, code: str, message: str, *, request_id: str = "") -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        # Identifies the request in the server's logs; empty if there was no response.
        self.request_id = request_id


class APIStatusError(ParleyError):
    """The server returned an error status. The call had no effect.

    The exception is the code `store_unavailable`: a message may be stored. Retry with the same
    Idempotency-Key, as the client does on its own.
    """

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
        # HTTP status.
        self.status = status
        # Dotted path of the invalid request field.
        self.param = param
        # Seconds to wait before the next attempt.
        self.retry_after = retry_after

    @property
    def is_gone(self) -> bool:
        """Whether the token is invalid or its session has ended."""
        return self.code in GONE_CODES


class APIConnectionError(ParleyError):
    """The server did not respond. A message that was being posted may have been accepted."""

    def __init__(self, message: str) -> None:
        super().__init__("unreachable", message)


class APITimeoutError(APIConnectionError):
    """The connection is open, but no data arrived in time."""


class ReplyFailed(ParleyError):
    """The turn ended without a reply; `message` gives the reason."""
