#!/usr/bin/env python
"""Django's command line for Parley."""

from project.command_line import main

if __name__ == "__main__":
    main()
