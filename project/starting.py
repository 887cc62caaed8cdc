"""The first steps of every process: Django is set up, or a line says which setting is wrong."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.core.exceptions import ImproperlyConfigured

GARBAGE = 20_000
"""Objects that have come, less those that have gone, after which new ones are looked through."""


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


def settle() -> None:
    """Look for garbage less often, and not among what has been loaded by now, which stays.

    A turn makes few cycles; looking for them took a thirtieth of the CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE, 20, 20)
