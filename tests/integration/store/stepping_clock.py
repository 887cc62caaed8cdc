"""Redis's clock as scripts see it, for tests that step it.

`tests/acceptance/test_clocks.py` steps the clock of a real server.
"""

import shutil
from pathlib import Path

from chat.store import scripts

CLOCK = "local clock = redis.call('TIME')"


class SteppingClock:
    """A copy of the scripts whose clock is `offset` seconds ahead.

    `passed` are those of them that count as time that has passed.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.offset = 0.0
        self.passed = 0.0
        shutil.copytree(scripts.SCRIPTS_DIR, directory)
        self._file = directory / "lib" / "clock.lua"
        self._source = self._file.read_text()
        assert CLOCK in self._source

    def step(self, seconds: float) -> None:
        """Step the clock; negative seconds step it back."""
        self.offset += seconds
        shift = f"{CLOCK}\nclock[1] = clock[1] + {self.offset}"
        self._file.write_text(self._source.replace(CLOCK, shift))
        scripts.read_script.cache_clear()

    def let_pass(self, seconds: float) -> None:
        """Step the clock, because time has passed."""
        self.passed += seconds
        self.step(seconds)
