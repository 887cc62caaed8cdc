"""Any acts in any order, on the store and on a model of it; both must tell the same story.

Time does not pass by itself here: every span of the store is much longer than an example runs, and
sessions are aged by hand, in steps that never end near the end of a span.
"""

from tests.integration.store.machine.clients import Clients
from tests.integration.store.machine.workers import Workers


class StoreMachine(Clients, Workers):
    """Up to three sessions of one partition, their clients, their workers, and time."""
