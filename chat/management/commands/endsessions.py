"""`manage.py endsessions ADDRESS`: delete all sessions of an address, network, API key or user."""

import argparse
from typing import Any

from chat.conversation import ending
from chat.domain.bans import Subject
from chat.management.actor import actor
from chat.management.subjects import SubjectCommand


class Command(SubjectCommand):
    help = "Delete all sessions that an address, a network, an API key or a user has opened."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="only count the sessions")

    def act(self, subject: Subject, **options: Any) -> str:
        if options["dry_run"]:
            return f"{subject.label} has {ending.count_sessions(subject):,} sessions."
        ended, _ = ending.end_sessions(subject, by=actor())
        return f"Ended {ended:,} sessions of {subject.label}."
