"""`manage.py chat`: a chat in the terminal, with a Parley that runs already."""

import argparse
import os
import sys

from django.core.management import BaseCommand

from parley_client.cli import add_arguments, chat


class Command(BaseCommand):
    help = "Chat in the terminal; /help there tells the commands."
    # All goes over HTTP: nothing of this process's own settings is used.
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_arguments(parser, url=f"http://127.0.0.1:{os.environ.get('PORT') or 8000}")

    def handle(
        self, *, url: str, name: str, system: str | None, model: str | None, **options: object
    ) -> None:
        sys.exit(chat(url=url, name=name, system=system, model=model))
