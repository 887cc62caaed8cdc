"""The options of the terminal chat, and what they start."""

import argparse
import os
import sys

from parley_client.client import Client
from parley_client.errors import ParleyError
from parley_client.session import Session
from parley_client.terminal import Terminal, typed

TOKEN = "PARLEY_TOKEN"  # noqa: S105  # the variable's name
"""Variable that holds a session's token; a command line can be read by everybody on a machine."""
PATIENCE = 10.0
"""Seconds; somebody is looking at the screen."""


def add_arguments(parser: argparse.ArgumentParser, *, url: str) -> None:
    """Declare the options; `url` is where Parley is unless another place is named."""
    parser.add_argument("--url", default=url, help="where Parley is (%(default)s)")
    parser.add_argument("--name", default="", help="what the session is called")
    parser.add_argument("--system", metavar="TEXT", help="the system prompt")
    parser.add_argument("--model", metavar="NAME", help="the model to ask")


def chat(*, url: str, name: str, system: str | None, model: str | None) -> int:
    """Chat until the end of the input; return the exit code."""
    with Client(url, patience=PATIENCE) as client:
        try:
            session = _session(client, name=name, system=system, model=model)
        except ParleyError as error:
            sys.stderr.write(f"{error.message}\n")
            return 1
        is_typed = sys.stdin.isatty()
        terminal = Terminal(session, out=sys.stdout, notes=sys.stderr, is_typed=is_typed)
        if is_typed and os.environ.get(TOKEN):
            terminal.run(iter(["/history"]))
        terminal.run(typed() if is_typed else iter(sys.stdin))
    return 1 if terminal.has_failed and not is_typed else 0


def _session(client: Client, *, name: str, system: str | None, model: str | None) -> Session:
    """Open a session, or go on with the one of the token."""
    token = os.environ.get(TOKEN, "")
    if not token:
        return client.open(name=name, system_prompt=system, model=model)
    session = client.resume(token)
    wishes = {"name": name or None, "system_prompt": system, "model": model}
    if changes := {wish: value for wish, value in wishes.items() if value is not None}:
        session.change(**changes)
    return session
