"""Any acts in any order, on the store and on its model. `LONG=1` looks for much longer."""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.integration.store import hypothesis_profiles
from tests.integration.store.state_machine import LostWorkersMachine, StoreMachine


@pytest.mark.usefixtures("small_spans")
@pytest.mark.timeout(0)
def test_the_store_does_what_its_model_does() -> None:
    run_state_machine_as_test(StoreMachine, settings=hypothesis_profiles.active_profile())


@pytest.mark.usefixtures("small_spans")
@pytest.mark.timeout(0)
def test_workers_that_lost_a_session_write_nothing_in_it() -> None:
    few = hypothesis_profiles.active_profile(share=0.3)
    run_state_machine_as_test(LostWorkersMachine, settings=few)
