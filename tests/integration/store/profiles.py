"""How long hypothesis looks."""

import os

from hypothesis import HealthCheck, Phase, settings

COMMON = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    report_multiple_bugs=False,
)
QUICK = settings(COMMON, max_examples=150, stateful_step_count=40)
LONG = settings(COMMON, max_examples=20_000, stateful_step_count=80)
MUTANT = settings(
    COMMON,
    max_examples=120,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    print_blob=False,
)
"""Looks until the first failure and does not make it small."""


def chosen() -> settings:
    return LONG if os.environ.get("LONG") else QUICK
