"""The parameters of a test that run on every change, and those that do not."""

import pytest


def thorough(*values: object) -> list[pytest.ParameterSet]:
    """Return parameters that only `make test-all` uses."""
    return [pytest.param(value, marks=pytest.mark.thorough) for value in values]
