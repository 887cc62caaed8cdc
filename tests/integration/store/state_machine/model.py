"""The model of the store in plain Python: one object per session, time in whole seconds.

It knows nothing of Redis, scripts and keys. Each operation takes the arguments of the store's
operation, raises the same errors, and returns what a caller sees of the result.
"""

from tests.integration.store.state_machine.model_clients import ClientOperations
from tests.integration.store.state_machine.model_workers import WorkerOperations


class Session(ClientOperations, WorkerOperations):
    """The model of one session; `clock` counts its own seconds."""
