"""Run the fake model: `python -m fakemodel --port 8090`."""

import argparse

from fakemodel.options import Options, add_arguments
from fakemodel.server import serve


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m fakemodel",
        description="A fake model server for development and tests (docs/fake-model.md).",
    )
    add_arguments(parser)
    serve(Options.from_arguments(vars(parser.parse_args())))


if __name__ == "__main__":
    main()
