"""`manage.py doctor`: what is wrong with an installation, and what to do about it."""

import argparse
import sys

from django.core.management import BaseCommand

import celery_app  # noqa: F401  (by its settings the broker is asked)
from chat.operations import health
from chat.operations.checks import Finding, Level


class Command(BaseCommand):
    help = "Look at settings, Redis, broker, workers and models; exits with 1 if anything is wrong."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--call-models",
            action="store_true",
            help="make a tiny real call to each model, which may cost money",
        )

    def handle(self, *, call_models: bool, **options: object) -> None:
        levels = []
        for finding in health.check(call_models=call_models):
            self._show(finding)
            levels.append(finding.level)
        sys.exit(1 if Level.WRONG in levels else 0)

    def _show(self, finding: Finding) -> None:
        styles = {
            Level.OK: self.style.SUCCESS,
            Level.WARNING: self.style.WARNING,
            Level.WRONG: self.style.ERROR,
        }
        self.stdout.write(f"{styles[finding.level](f'{finding.level:8}')} {finding.what}")
        if finding.advice:
            self.stdout.write(f"{'':8} -> {finding.advice}")
