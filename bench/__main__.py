"""Run a benchmark: `python -m bench [report|admin|export]`, by default the report."""

import argparse
from importlib import import_module

from bench import state_dir

COMMANDS = ("report", "admin", "export")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("command", nargs="?", choices=COMMANDS, default="report")
    command: str = parser.parse_args().command
    directory = state_dir.create()
    # The benchmarks import `chat`, which reads the settings and thus the environment.
    import_module(f"bench.{command}").main(directory)


if __name__ == "__main__":
    main()
