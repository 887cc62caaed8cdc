"""The errors that calls get."""


class APIError(Exception):
    """The call gets an HTTP error; each format renders it in its own shape."""

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
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        # Seconds until the model is loaded.
        self.estimated_time = estimated_time
        self.headers = headers


def bad_request(message: str, param: str | None = None) -> APIError:
    """Return the 400 for a body that is invalid or not supported."""
    return APIError(400, message, param=param)
