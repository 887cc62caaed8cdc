"""The errors of commands."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import CommandError

from chat.domain.errors import ParleyError, StoreUnavailable


@contextmanager
def command_errors() -> Iterator[None]:
    """Map errors of Parley.

    Raises:
        CommandError
    """
    try:
        yield
    except ParleyError as error:
        raise CommandError(message_of(error)) from error


def message_of(error: ParleyError) -> str:
    """Return an error's message for operators; that of a missing Redis is written for clients."""
    if error.message == StoreUnavailable().message:
        reason = str(error.__cause__ or "timeout").rstrip(".") + "."
        return f"Redis does not answer: {reason} Check REDIS_URL."
    return error.message
