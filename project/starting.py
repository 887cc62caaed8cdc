"""The first step of every process: Django is set up, or a line says which setting is wrong."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.core.exceptions import ImproperlyConfigured


@contextmanager
def settings_told() -> Iterator[None]:
    """End the process with the name of a setting that proves wrong, and without a traceback."""
    try:
        yield
    except ImproperlyConfigured as error:
        sys.exit(f"Parley cannot start: {error}")


def set_up() -> None:
    """Set Django up."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    with settings_told():
        django.setup()
