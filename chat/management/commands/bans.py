"""`manage.py bans`: list all bans."""

from datetime import UTC, datetime

from django.core.management import BaseCommand, CommandError

from chat.accounts import bans
from chat.domain.errors import ParleyError


class Command(BaseCommand):
    help = "List all bans, the newest first: who, until when, who banned them, and why."
    requires_system_checks = ()

    def handle(self, **options: object) -> None:
        try:
            found = bans.list_bans()
        except ParleyError as error:
            raise CommandError(error.message) from error
        for ban in found:
            until = f"until {_minute(ban.expires_at)}" if ban.expires_at else "forever"
            banned = f"{_minute(ban.created_at)} by {ban.created_by}"
            self.stdout.write(f"{ban.label}\t{until}\t{banned}\t{ban.reason}")


def _minute(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
