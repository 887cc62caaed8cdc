"""Runs the dev model: `python -m chat.devmodel --port 8090`."""

import argparse

from project import interrupts

if __name__ == "__main__":
    interrupts.end_at_once()

from chat.devmodel.options import add_arguments, read_options
from chat.devmodel.server import serve


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m chat.devmodel",
        description="A model server for development and tests (docs/devmodel.md).",
    )
    add_arguments(parser)
    serve(read_options(vars(parser.parse_args())))


if __name__ == "__main__":
    main()
