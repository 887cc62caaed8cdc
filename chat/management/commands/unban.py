"""`manage.py unban ADDRESS`: end a ban."""

from typing import Any

from chat.accounts import bans
from chat.domain.bans import Subject
from chat.management.actor import actor
from chat.management.subjects import SubjectCommand


class Command(SubjectCommand):
    help = "End the ban of an address, a network, an API key or a user."

    def act(self, subject: Subject, **options: Any) -> str:
        bans.remove(subject, by=actor())
        return f"Ended the ban of {subject.label}."
