"""A supervisor of test programs: `python -m tests.integration.runner.toy NAME=CODE ...`.

Each NAME runs CODE in its own stage and is ready at once.
"""

import os
import sys

from project.runner.log_output import LogOutput
from project.runner.process import Program
from project.runner.supervisor import Supervisor


def program(argument: str) -> Program:
    name, _, code = argument.partition("=")
    return Program(
        name=name,
        argv=(sys.executable, "-uc", code),
        env=os.environ,
        is_ready=lambda: True,
        stop_timeout=0.5,
    )


if __name__ == "__main__":
    log = LogOutput()
    stages = [[program(argument)] for argument in sys.argv[1:]]
    sys.exit(Supervisor(log).run(stages, on_ready=lambda: log.write("all ready")))
