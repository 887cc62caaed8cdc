#!/usr/bin/env python
"""Django's command line for Parley."""

import sys

from project import interrupts

if __name__ == "__main__":
    interrupts.end_at_once()

from django.core.management import execute_from_command_line

from project.bootstrap import set_up

if __name__ == "__main__":
    set_up()
    interrupts.raise_again()
    execute_from_command_line(sys.argv)
