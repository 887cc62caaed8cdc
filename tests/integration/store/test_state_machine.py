"""Random operations on the store and its model. `LONG=1` runs many more."""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.integration.store import hypothesis_profiles
from tests.integration.store.state_machine import LostWorkersMachine, StoreMachine


@pytest.mark.usefixtures("model_settings")
@pytest.mark.timeout(0)
def test_store_matches_its_model() -> None:
    run_state_machine_as_test(StoreMachine, settings=hypothesis_profiles.active_profile())


@pytest.mark.usefixtures("model_settings")
@pytest.mark.timeout(0)
def test_lost_workers_write_nothing() -> None:
    profile = hypothesis_profiles.active_profile(share=0.3)
    run_state_machine_as_test(LostWorkersMachine, settings=profile)
