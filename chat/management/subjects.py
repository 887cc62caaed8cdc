"""Arguments that name an address, an API key or a user, and who runs a command."""

import argparse
import getpass
import os
from collections.abc import Mapping
from typing import Any

from django.core.management import CommandError

from chat.accounts import subjects
from chat.domain.bans import Subject


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("address", nargs="?", default="", help="an IP address or network")
    parser.add_argument("--key", default="", help="the id of an API key")
    parser.add_argument("--user", default="", help="a user, with --tenant or --key")
    parser.add_argument("--tenant", default="", help="the tenant of --user")


def parse(options: Mapping[str, Any]) -> Subject:
    """Return whom the arguments name.

    Raises:
        CommandError: they name none, or more than one.
        InvalidRequest, NotFound, StoreUnavailable
    """
    address, key, user, tenant = (
        str(options[name]) for name in ("address", "key", "user", "tenant")
    )
    if bool(address) + bool(user or key) != 1 or (tenant and not user):
        raise CommandError("Name an address, or --key, or --user with --tenant or --key.")
    if address:
        return subjects.from_address(address)
    return subjects.from_user(user, tenant=tenant, key_id=key) if user else subjects.from_key(key)


def actor() -> str:
    """Return who runs the command, for the audit log."""
    try:
        return f"command {getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return f"command uid {os.getuid()}"
