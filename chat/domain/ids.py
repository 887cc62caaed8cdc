"""Names that must be unique, and need not be secret."""

from random import getrandbits


def random_id() -> str:
    """Return 16 hexadecimal digits that nobody has had.

    They come from a generator that the system's randomness has seeded, once a process: to ask the
    system each time would have a thread lose the interpreter to another one, three times a turn.
    """
    return f"{getrandbits(64):016x}"
