"""The options of the terminal chat, and what they start."""

import argparse
import os
import sys

from parley_client.client import Client
from parley_client.errors import ParleyError, Unreachable
from parley_client.session import Session
from parley_client.terminal import Terminal, typed

TOKEN = "PARLEY_TOKEN"  # noqa: S105  # the variable's name
"""Variable that holds a session's token; a command line can be read by everybody on a machine."""
PATIENCE = 10.0
"""Seconds; somebody is looking at the screen."""
FIRST_PATIENCE = 2.0
"""Seconds at the start: most often nobody has started Parley, or it is elsewhere."""


def add_arguments(parser: argparse.ArgumentParser, *, url: str) -> None:
    """Declare the options; `url` is where Parley is unless another place is named."""
    place = os.environ.get("PARLEY_URL") or url
    parser.add_argument("--url", default=place, type=_url, help="where Parley is (%(default)s)")
    parser.add_argument("--name", default="", help="what the session is called")
    parser.add_argument("--system", metavar="TEXT", help="the system prompt")
    parser.add_argument("--model", metavar="NAME", help="the model to ask")


def chat(*, url: str, name: str, system: str | None, model: str | None) -> int:
    """Chat until the end of the input; return the exit code."""
    try:
        token = _token(url, name=name, system=system, model=model)
        with Client(url, patience=PATIENCE) as client:
            return _chat(client, client.resume(token))
    except ParleyError as error:
        sys.stderr.write(f"{error.message}\n")
        if isinstance(error, Unreachable):
            sys.stderr.write("Start Parley there, or name another place by --url.\n")
        return 1


def _chat(client: Client, session: Session) -> int:
    is_typed = sys.stdin.isatty()
    terminal = Terminal(client, session, out=sys.stdout, notes=sys.stderr, is_typed=is_typed)
    if is_typed:
        terminal.greet()
    terminal.run(typed() if is_typed else iter(sys.stdin))
    return 1 if terminal.has_failed and not is_typed else 0


def _url(text: str) -> str:
    """Return the option as it is, if it is a URL."""
    try:
        Client(text).close()
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _token(url: str, *, name: str, system: str | None, model: str | None) -> str:
    """Open a session, or change the one of the environment's token; return what opens it."""
    token = os.environ.get(TOKEN, "")
    with Client(url, patience=FIRST_PATIENCE) as client:
        if not token:
            return client.open(name=name, system_prompt=system, model=model).token
        session = client.resume(token)
        wishes = {"name": name or None, "system_prompt": system, "model": model}
        if changes := {wish: value for wish, value in wishes.items() if value is not None}:
            session.change(**changes)
    return token
