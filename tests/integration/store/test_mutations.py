"""A test of the tests (F32): each broken store must make every test fail that is to notice it."""

import inspect
from collections.abc import Callable, Iterator
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

CASES = [(mutant, test) for mutant in MUTANTS for test in mutant.killed_by]
NOTICED = (AssertionError, ParleyError, ResponseError, pytest.fail.Exception, Flaky)
"""A broken script may as well fail: then the store says so."""


@pytest.fixture
def break_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis: Redis
) -> Iterator[Callable[[Mutant], None]]:
    def put_in_place(mutant: Mutant) -> None:
        monkeypatch.setattr(scripts, "SCRIPTS_DIR", mutant.write(tmp_path))
        scripts.read_script.cache_clear()

    yield put_in_place
    scripts.read_script.cache_clear()
    redis.flushall()


@pytest.mark.usefixtures("small_spans")
def test_the_unbroken_store_passes_what_the_mutants_do_not() -> None:
    """The other tests that notice mutants are run unbroken as themselves."""
    few = settings(hypothesis_profiles.MUTANT, max_examples=40)
    run_state_machine_as_test(StoreMachine, settings=few)


@pytest.mark.parametrize(
    ("mutant", "test"), CASES, ids=[f"{mutant}: {test.__name__}" for mutant, test in CASES]
)
def test_it_is_noticed(
    mutant: Mutant,
    test: Callable[..., None],
    break_the_store: Callable[[Mutant], None],
    request: pytest.FixtureRequest,
) -> None:
    break_the_store(mutant)
    needed = inspect.signature(test).parameters
    with pytest.raises(NOTICED):
        test(**{name: request.getfixturevalue(name) for name in needed})
