"""`manage.py fakemodel`: the bundled model server, for development and tests."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from fakemodel.options import add_arguments, read_options
from fakemodel.server import serve


class Command(BaseCommand):
    help = "Runs the bundled model server (docs/fake-model.md)."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        serve(read_options(options))
