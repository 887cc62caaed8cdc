"""`manage.py bans`: list all bans."""

from datetime import UTC, datetime

from django.core.management import BaseCommand

from chat.accounts import bans
from chat.management.errors import command_errors


class Command(BaseCommand):
    help = "List all bans, the newest first: who, until when, who banned them, and why."
    requires_system_checks = ()

    def handle(self, **options: object) -> None:
        with command_errors():
            found = bans.list_bans()
        for ban in found:
            until = f"until {_minute(ban.expires_at)}" if ban.expires_at else "forever"
            banned = f"{_minute(ban.created_at)} by {ban.created_by}"
            self.stdout.write(f"{ban.label}\t{until}\t{banned}\t{ban.reason}")


def _minute(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
