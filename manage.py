#!/usr/bin/env python
"""Django's command line for Parley."""

import sys

from django.core.management import execute_from_command_line

from project import bootstrap

if __name__ == "__main__":
    bootstrap.setup()
    execute_from_command_line(sys.argv)
