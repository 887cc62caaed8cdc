"""`manage.py unban ADDRESS`: end a ban."""

import argparse

from django.core.management import BaseCommand, CommandError

from chat.accounts import bans
from chat.domain.errors import ParleyError
from chat.management import subjects
from chat.management.actor import actor


class Command(BaseCommand):
    help = "End the ban of an address, a network, an API key or a user."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        subjects.add_arguments(parser)

    def handle(self, **options: object) -> None:
        try:
            subject = subjects.parse(options)
            bans.remove(subject, by=actor())
        except ParleyError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Ended the ban of {subject.label}.")
