"""What can go wrong between an HTTP request and the end of its response.

Errors of sockets, name lookups and TLS are `OSError`s. None of these errors quotes the response.
"""


class Disconnected(Exception):
    """The server closed the connection before the end of the response."""


class ConnectTimeout(Exception):
    """No connection was made in time."""


class InvalidHTTP(Exception):
    """The response is not HTTP, or exceeds a limit."""


# Errors of a connection while a response is read. `TimeoutError` is one of `OSError`.
READ_ERRORS = (Disconnected, InvalidHTTP, OSError)
