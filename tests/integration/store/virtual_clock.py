"""A clock of Redis that moves only when a test moves it, as scripts see it."""

import shutil
from pathlib import Path

from redis import Redis

from chat.store import scripts

CLOCK = "local now = "
KEY = "test:now"


class VirtualClock:
    """A copy of the scripts that read the time, ms, from a key."""

    def __init__(self, directory: Path, redis: Redis) -> None:
        self.directory = directory
        self.now = 1_700_000_000.0
        self.redis = redis
        shutil.copytree(scripts.SCRIPTS_DIR, directory)
        file = directory / "lib" / "clock.lua"
        source = file.read_text()
        assert CLOCK in source
        read = f"{CLOCK}tonumber(redis.call('GET', '{KEY}')) -- "
        file.write_text(source.replace(CLOCK, read))
        self.pass_to(self.now)

    def pass_to(self, moment: float) -> None:
        """Set the time, in seconds since the epoch."""
        self.now = moment
        self.redis.set(KEY, round(1000 * moment), ex=3600)
