"""Commands about an address, an API key or a user."""

import argparse
from collections.abc import Mapping
from typing import Any

from django.core.management import BaseCommand

from chat.accounts import subjects
from chat.domain.bans import Subject
from chat.management.errors import command_errors

NAMES = ("address", "key", "user", "tenant")


class SubjectCommand(BaseCommand):
    """A command about the one that its arguments name; it prints what `act` returns."""

    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("address", nargs="?", default="", help="an IP address or network")
        parser.add_argument("--key", default="", help="the id of an API key")
        parser.add_argument("--user", default="", help="a user, with --tenant or --key")
        parser.add_argument("--tenant", default="", help="the tenant of --user")

    def handle(self, **options: Any) -> None:
        with command_errors():
            text = self.act(parse(options), **options)
        self.stdout.write(text)

    def act(self, subject: Subject, **options: Any) -> str:
        """Act on the subject; raises `ParleyError`."""
        raise NotImplementedError


def parse(options: Mapping[str, Any]) -> Subject:
    """Return the subject that the arguments name.

    Raises:
        InvalidRequest, NotFound, StoreUnavailable
    """
    return subjects.from_fields(**{name: str(options[name]) for name in NAMES})
