"""Arguments that name an address, an API key or a user."""

import argparse
from collections.abc import Mapping
from typing import Any

from chat.accounts import subjects
from chat.domain.bans import Subject

NAMES = ("address", "key", "user", "tenant")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("address", nargs="?", default="", help="an IP address or network")
    parser.add_argument("--key", default="", help="the id of an API key")
    parser.add_argument("--user", default="", help="a user, with --tenant or --key")
    parser.add_argument("--tenant", default="", help="the tenant of --user")


def parse(options: Mapping[str, Any]) -> Subject:
    """Return whom the arguments name.

    Raises:
        InvalidRequest, NotFound, StoreUnavailable
    """
    return subjects.from_fields(**{name: str(options[name]) for name in NAMES})
