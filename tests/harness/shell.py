"""Commands of the docs, run in a shell."""

import os
import signal
import subprocess


def run_shell(script: str, *, until: str) -> str:
    """Run a script in bash; return its output up to the line that contains `until`."""
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        assert shell.stdout is not None
        output = ""
        for line in shell.stdout:
            output += line
            if until in line:
                break
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGTERM)
    return output
