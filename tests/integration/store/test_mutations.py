"""Mutation tests (F32): every mutant must be killed by each of its tests."""

import inspect
from collections.abc import Callable, Iterator
from json import JSONDecodeError
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test
from redis import Redis
from redis.exceptions import ResponseError

from chat.domain.errors import ParleyError
from chat.store import scripts
from tests.integration.store import hypothesis_profiles
from tests.integration.store.mutants import MUTANTS, Mutant
from tests.integration.store.state_machine import StoreMachine

# The mutants that docs/faults.md names for F32, each with its quickest test.
QUICK = {"no fence", "no nonce", "no idempotency", "nothing is due"}
CASES = [
    pytest.param(
        mutant,
        test,
        id=f"{mutant}: {test.__name__}",
        marks=() if mutant.name in QUICK and not i else pytest.mark.thorough,
    )
    for mutant in MUTANTS
    for i, test in enumerate(mutant.killed_by)
]
# A mutated script may also fail, or store invalid JSON.
FAILURES = (
    AssertionError,
    JSONDecodeError,
    ParleyError,
    ResponseError,
    pytest.fail.Exception,
    Flaky,
)


@pytest.fixture
def apply_mutant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis: Redis
) -> Iterator[Callable[[Mutant], None]]:
    def apply(mutant: Mutant) -> None:
        monkeypatch.setattr(scripts, "SCRIPTS_DIR", mutant.write(tmp_path))
        scripts.read_script.cache_clear()

    yield apply
    scripts.read_script.cache_clear()
    redis.flushall()


@pytest.mark.thorough
@pytest.mark.usefixtures("model_settings")
def test_unmodified_store_passes() -> None:
    """The other tests of `killed_by` run on the unmodified store anyway."""
    profile = settings(hypothesis_profiles.MUTANT, max_examples=40)
    run_state_machine_as_test(StoreMachine, settings=profile)


def test_every_mutant_changes_its_script(tmp_path: Path) -> None:
    """Most mutants run in `make test-all` only; a change to their script is noticed at once."""
    for mutant in MUTANTS:
        mutant.write(tmp_path / str(mutant))


@pytest.mark.parametrize(("mutant", "test"), CASES)
def test_mutant_is_killed(
    mutant: Mutant,
    test: Callable[..., None],
    apply_mutant: Callable[[Mutant], None],
    request: pytest.FixtureRequest,
) -> None:
    apply_mutant(mutant)
    needed = inspect.signature(test).parameters
    with pytest.raises(FAILURES):
        test(**{name: request.getfixturevalue(name) for name in needed})
