"""Who runs a command, for the audit log."""

import getpass
import os


def actor() -> str:
    try:
        return f"command {getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return f"command uid {os.getuid()}"
