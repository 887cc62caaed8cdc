#!/usr/bin/env python
"""Django's command line for Parley."""

import sys

from django.core.management import execute_from_command_line

from project.starting import set_up

if __name__ == "__main__":
    set_up()
    execute_from_command_line(sys.argv)
