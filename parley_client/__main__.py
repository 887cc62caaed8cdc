"""`python -m parley_client` or `parley-chat`: chat in the terminal."""

import argparse
import sys

from parley_client.cli import add_arguments, run_chat


def main() -> None:
    """Parse the command line, run the chat and exit with its exit code."""
    parser = argparse.ArgumentParser(prog="parley-chat", description="Chat with a Parley server.")
    add_arguments(parser, default_url="http://127.0.0.1:8000")
    sys.exit(run_chat(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
