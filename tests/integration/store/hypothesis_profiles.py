"""Hypothesis profiles: how many examples to run."""

import os

from hypothesis import HealthCheck, Phase, settings

COMMON = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    report_multiple_bugs=False,
)
# About 3 seconds.
QUICK = settings(COMMON, max_examples=30, stateful_step_count=40)
# About ten minutes.
LONG = settings(COMMON, max_examples=4000, stateful_step_count=80)
# Runs until the first failure, without shrinking it.
MUTANT = settings(
    COMMON,
    max_examples=1000,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    print_blob=False,
)


def active_profile(*, share: float = 1.0) -> settings:
    """Return the profile selected by `LONG`, with a share of its examples."""
    profile = LONG if os.environ.get("LONG") else QUICK
    return settings(profile, max_examples=round(share * profile.max_examples))
