"""How much CPU processes take."""

import os
from collections.abc import Mapping
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def seconds(pid: int) -> float:
    """Return the CPU that a process has used, user and system, all its threads; seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_kib(pid: int) -> int:
    """Return the memory that a process holds, KiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


class Meter:
    """CPU used by named processes since the meter was made."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._before = {name: seconds(pid) for name, pid in pids.items()}

    def read(self) -> dict[str, float]:
        """Return the seconds of CPU since then, by name."""
        return {name: seconds(pid) - self._before[name] for name, pid in self._pids.items()}
