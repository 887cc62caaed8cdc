"""Run a benchmark: `python -m bench [COMMAND]`, by default the report."""

import argparse
from importlib import import_module

from bench import report, state_dir

COMMANDS = (
    "report",
    "admin",
    "export",
    "end_sessions",
    "attacks",
    "page",
    "scale",
    "cluster",
    "memory",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("command", nargs="?", choices=COMMANDS, default="report")
    report.add_arguments(parser)
    arguments = parser.parse_args()
    directory = state_dir.create()
    if arguments.command == "report":
        report.main(arguments)
    else:
        # It imports `chat`, which reads the settings and thus the environment.
        import_module(f"bench.{arguments.command}").main(directory)


if __name__ == "__main__":
    main()
