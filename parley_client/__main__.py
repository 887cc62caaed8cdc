"""`python -m parley_client`, or `parley-chat`: a chat in the terminal."""

import argparse
import sys

from parley_client.cli import add_arguments, chat


def main() -> None:
    """Chat; the exit code is that of the process."""
    parser = argparse.ArgumentParser(prog="parley-chat", description="Chat with a Parley.")
    add_arguments(parser, url="http://127.0.0.1:8000")
    sys.exit(chat(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
