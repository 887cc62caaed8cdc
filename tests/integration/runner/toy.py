"""A supervisor of toy programs: `python -m tests.integration.runner.toy NAME=CODE ...`.

Each NAME runs CODE, a stage of its own, ready as soon as it is started.
"""

import os
import sys

from project.runner.log_output import Journal
from project.runner.process import Program
from project.runner.supervisor import Supervisor


def program(argument: str) -> Program:
    name, _, code = argument.partition("=")
    return Program(
        name=name,
        argv=(sys.executable, "-uc", code),
        env=os.environ,
        ready=lambda: True,
        stop_within=0.5,
    )


if __name__ == "__main__":
    journal = Journal()
    stages = [[program(argument)] for argument in sys.argv[1:]]
    sys.exit(Supervisor(journal).run(stages, announce=lambda: journal.plain("all up")))
