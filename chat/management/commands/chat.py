"""`manage.py chat`: a terminal chat with a running Parley server."""

import argparse
import os
import sys

from django.core.management import BaseCommand

from parley_client.cli import add_arguments, run_chat


class Command(BaseCommand):
    help = "Chat in the terminal. Type /help in the chat for a list of commands."
    # The chat uses HTTP only; this process's settings do not matter.
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_arguments(parser, default_url=f"http://127.0.0.1:{os.environ.get('PORT') or 8000}")

    def handle(
        self, *, url: str, name: str, system: str | None, model: str | None, **options: object
    ) -> None:
        sys.exit(run_chat(url=url, name=name, system=system, model=model))
