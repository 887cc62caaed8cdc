"""How a process exits when its configuration is wrong."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured

from chat.domain.errors import ConfigError


@contextmanager
def exit_on_config_error() -> Iterator[None]:
    """Exit with code 78 (EX_CONFIG) and one line on stderr instead of a traceback.

    A process manager that knows the code does not restart the process.
    """
    try:
        yield
    except (ImproperlyConfigured, ConfigError) as error:
        sys.stderr.write(f"Parley cannot start: {error}\n")
        sys.exit(os.EX_CONFIG)
