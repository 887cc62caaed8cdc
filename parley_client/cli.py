"""Command-line options of the terminal chat."""

import argparse
import os
import sys

from parley_client.client import Client
from parley_client.errors import APIConnectionError, ParleyError
from parley_client.session import Session
from parley_client.terminal import Terminal, prompt_lines

# A session token. There is no option for it: other users can read a process's command line.
TOKEN_ENV = "PARLEY_TOKEN"  # noqa: S105  # the variable's name
# Seconds for which a failed call is retried.
RETRY_TIMEOUT = 10.0
# Seconds for the first call: a failure here usually means that no server runs at this URL.
STARTUP_RETRY_TIMEOUT = 2.0


def add_arguments(parser: argparse.ArgumentParser, *, default_url: str) -> None:
    """Add the options to a parser. PARLEY_URL takes precedence over `default_url`."""
    url = os.environ.get("PARLEY_URL") or default_url
    parser.add_argument("--url", default=url, type=_url, help="server URL (default: %(default)s)")
    parser.add_argument("--name", default="", help="session name")
    parser.add_argument("--system", metavar="TEXT", help="system prompt")
    parser.add_argument("--model", metavar="NAME", help="model to use")


def run_chat(*, url: str, name: str, system: str | None, model: str | None) -> int:
    """Chat until the input ends; return the exit code."""
    try:
        token = _prepare_session(url, name=name, system=system, model=model)
        with Client(url, retry_timeout=RETRY_TIMEOUT) as client:
            return _run(client, client.attach(token))
    except ParleyError as error:
        sys.stderr.write(f"{error.message}\n")
        if isinstance(error, APIConnectionError):
            sys.stderr.write("Start Parley at this URL, or pass another one with --url.\n")
        return 1


def _run(client: Client, session: Session) -> int:
    is_interactive = sys.stdin.isatty()
    terminal = Terminal(
        client, session, out=sys.stdout, err=sys.stderr, is_interactive=is_interactive
    )
    if is_interactive:
        terminal.greet()
    terminal.run(prompt_lines() if is_interactive else iter(sys.stdin))
    return 1 if terminal.has_failed and not is_interactive else 0


def _url(text: str) -> str:
    """Validate the --url option."""
    try:
        Client(text).close()
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _prepare_session(url: str, *, name: str, system: str | None, model: str | None) -> str:
    """Open a session, or update the session of PARLEY_TOKEN; return its token."""
    token = os.environ.get(TOKEN_ENV, "")
    with Client(url, retry_timeout=STARTUP_RETRY_TIMEOUT) as client:
        if not token:
            return client.open(name=name, system_prompt=system, model=model).token
        session = client.attach(token)
        options = {"name": name or None, "system_prompt": system, "model": model}
        if changes := {field: value for field, value in options.items() if value is not None}:
            session.update(**changes)
    return token
