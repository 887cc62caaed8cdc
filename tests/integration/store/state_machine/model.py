"""What the store is to do, in plain Python: one object a session, time as whole seconds.

It knows nothing of Redis, scripts, scores or keys. Each act takes what the store's act takes,
raises what that raises, and gives what a caller can see of the answer.
"""

from tests.integration.store.state_machine.model_clients import ClientOperations
from tests.integration.store.state_machine.model_workers import WorkerOperations


class Session(ClientOperations, WorkerOperations):
    """One conversation; `clock` counts its own seconds."""
