"""`manage.py unlock`: allow logins to the admin again."""

import argparse

from django.core.management import BaseCommand, CommandError

from chat.accounts import client_ip, logins
from chat.management.actor import actor
from chat.management.errors import command_errors
from chat.operations import audit_log


class Command(BaseCommand):
    help = "Allow logins to the admin again after too many attempts."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("username", nargs="?", help="the account that has too many attempts")
        parser.add_argument("--address", help="the IP address that has made too many attempts")

    def handle(self, *, username: str | None, address: str | None, **_: object) -> None:
        if not username and not address:
            raise CommandError("Name an account, or an address with --address.")
        with command_errors():
            if username:
                logins.unlock_account(username)
                _record(f"account {username}")
                self.stdout.write(f"The account {username} can log in again.")
            if address:
                bucket = _parse_address(address)
                logins.unlock_address(bucket)
                _record(f"address {bucket}")
                self.stdout.write(f"Clients of {bucket} can log in again.")


def _record(target: str) -> None:
    audit_log.record(actor=actor(), action="Unlocked the login.", target=target)


def _parse_address(text: str) -> str:
    address = client_ip.client_address({"REMOTE_ADDR": text})
    if address == client_ip.LOCAL != text:
        raise CommandError(f"{text!r} is not an IP address, and not `local`.")
    return address
