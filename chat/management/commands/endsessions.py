"""`manage.py endsessions ADDRESS`: delete all sessions of an address, network, API key or user."""

import argparse

from django.core.management import BaseCommand, CommandError

from chat.conversation import ending
from chat.domain.bans import Subject
from chat.domain.errors import ParleyError
from chat.management import subjects
from chat.management.actor import actor


class Command(BaseCommand):
    help = "Delete all sessions that an address, a network, an API key or a user has opened."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        subjects.add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="only count the sessions")

    def handle(self, **options: object) -> None:
        try:
            subject = subjects.parse(options)
            if options["dry_run"]:
                self._count(subject)
                return
            ended, _ = ending.end_sessions(subject, by=actor())
        except ParleyError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Ended {ended:,} sessions of {subject.label}.")

    def _count(self, subject: Subject) -> None:
        self.stdout.write(f"{subject.label} has {ending.count_sessions(subject):,} sessions.")
