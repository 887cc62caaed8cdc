"""`manage.py ban ADDRESS`: reject an address, network, API key or user."""

import argparse
from typing import Any

from chat.accounts import bans
from chat.domain.bans import Subject
from chat.management.actor import actor
from chat.management.subjects import SubjectCommand


class Command(SubjectCommand):
    help = "Reject an address, a network, an API key or a user within seconds."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--for", dest="duration", default="", help="such as 30m, 2h or 7d; default: forever"
        )
        parser.add_argument("--reason", default="", help="for staff; clients do not see it")

    def act(self, subject: Subject, **options: Any) -> str:
        seconds = bans.parse_duration(options["duration"])
        ban = bans.add(subject, by=actor(), seconds=seconds, reason=options["reason"])
        return f"Banned {ban.label}."
