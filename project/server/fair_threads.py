"""The threads of sync views, of which no client can use all."""

from asyncio import Semaphore
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakValueDictionary


class FairThreads:
    """A thread pool; each address has slots for half of its threads.

    Further requests of the address wait. So a request of another address waits for a few requests,
    not for hundreds that arrived before it.
    """

    def __init__(self, size: int) -> None:
        self.executor = ThreadPoolExecutor(size, "web")
        self._slots_per_address = max(1, size // 2)
        # While a request uses them.
        self._slots: WeakValueDictionary[str, Semaphore] = WeakValueDictionary()

    def slots(self, address: str) -> Semaphore:
        """Return the slots of the address; take one for each call in `executor`."""
        slots = self._slots.get(address)
        if slots is None:
            slots = self._slots[address] = Semaphore(self._slots_per_address)
        return slots
