"""The number of partitions: all processes on the same data must use the same one."""

from chat.domain.errors import ConfigError
from chat.settings import chat_settings
from chat.store import keys
from chat.store.client import execute_command
from chat.store.server_info import check_kind, config_errors


def check(*, is_start: bool) -> None:
    """Compare the kind of server with `REDIS_URL`, and `CHAT_PARTITIONS` with the number in Redis.

    is_start: store the number if Redis has none, so that the first process to start decides it.

    Raises:
        ConfigError: the kinds or the numbers differ, or the user of `REDIS_URL` lacks permissions.
        StoreUnavailable: Redis did not answer.
    """
    key, own = keys.deployment(), chat_settings.PARTITIONS
    with config_errors():
        check_kind()
        stored = execute_command("HGET", key, "partitions")
        if stored is None and is_start:
            execute_command("HSETNX", key, "partitions", own)
            stored = execute_command("HGET", key, "partitions")
    if stored is not None and int(stored) != own:
        raise ConfigError(
            f"CHAT_PARTITIONS: is {own}, but the data in Redis has {int(stored)} partitions;"
            f" set it to {int(stored)}, or use an empty Redis"
        )
