"""`manage.py doctor`: check an installation and suggest fixes."""

import argparse
import sys

from django.core.management import BaseCommand

import celery_app  # noqa: F401  # configures the broker
from chat.operations import doctor
from chat.operations.checks import CheckResult, Level


class Command(BaseCommand):
    help = "Check settings, Redis, broker, workers and models. Exits with 1 on errors."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--call-models",
            action="store_true",
            help="make a small real call to each model, which may cost money",
        )

    def handle(self, *, call_models: bool, **options: object) -> None:
        levels = []
        for result in doctor.run_checks(call_models=call_models):
            self._print(result)
            levels.append(result.level)
        sys.exit(1 if Level.ERROR in levels else 0)

    def _print(self, result: CheckResult) -> None:
        styles = {
            Level.OK: self.style.SUCCESS,
            Level.WARNING: self.style.WARNING,
            Level.ERROR: self.style.ERROR,
        }
        self.stdout.write(f"{styles[result.level](f'{result.level:8}')} {result.message}")
        if result.hint:
            self.stdout.write(f"{'':8} -> {result.hint}")
