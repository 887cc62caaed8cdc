"""`manage.py fakemodel`: the fake model server, for development and tests."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from fakemodel.options import Options, add_arguments
from fakemodel.server import serve


class Command(BaseCommand):
    help = "Run the fake model server (docs/fake-model.md)."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        serve(Options.from_arguments(options))
