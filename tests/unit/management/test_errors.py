"""Errors of commands are written for operators."""

import pytest
from django.core.management import CommandError
from redis.exceptions import AuthenticationError

from chat.domain.errors import InvalidRequest
from chat.management.errors import command_errors
from chat.store.client import map_redis_errors


def test_error_of_redis_says_what_to_check() -> None:
    reason = "invalid username-password pair or user is disabled."
    with (
        pytest.raises(CommandError, match=rf"Redis does not answer: {reason} Check REDIS_URL\."),
        command_errors(),
        map_redis_errors(),
    ):
        raise AuthenticationError(reason)


def test_other_errors_keep_their_message() -> None:
    with pytest.raises(CommandError, match=r"^No such address\.$"), command_errors():
        raise InvalidRequest("No such address.")
