"""`manage.py ban ADDRESS`: reject an address, network, API key or user."""

import argparse

from django.core.management import BaseCommand, CommandError

from chat.accounts import bans
from chat.domain.errors import ParleyError
from chat.management import subjects
from chat.management.actor import actor


class Command(BaseCommand):
    help = "Reject an address, a network, an API key or a user within seconds."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        subjects.add_arguments(parser)
        parser.add_argument(
            "--for", dest="duration", default="", help="such as 30m, 2h or 7d; default: forever"
        )
        parser.add_argument("--reason", default="", help="for staff; clients do not see it")

    def handle(self, *, duration: str, reason: str, **options: object) -> None:
        try:
            ban = bans.add(
                subjects.parse(options),
                by=actor(),
                seconds=bans.parse_duration(duration),
                reason=reason,
            )
        except ParleyError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Banned {ban.label}.")
