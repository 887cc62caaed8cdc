"""The one exception by which a call is refused, in whatever wire format it came."""


class Refused(Exception):
    """The call gets an HTTP error instead of a reply."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        estimated_time: float | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        """Carry what the formats need to word it; `estimated_time` in seconds."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.estimated_time = estimated_time
        self.headers = headers


def malformed(message: str, param: str | None = None) -> Refused:
    """A 400 for a body that this server cannot make sense of."""
    return Refused(400, message, param=param)
