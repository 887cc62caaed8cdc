"""The commands of Parley: `parley` in an installation, `manage.py` in a checkout."""

import sys

from django.core.management import execute_from_command_line

from project import bootstrap


def main() -> None:
    bootstrap.setup()
    execute_from_command_line(sys.argv)
