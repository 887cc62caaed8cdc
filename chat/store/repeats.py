"""Requests that clients repeat: which was the first one, and which is the last one."""

from chat.store import keys
from chat.store.calls import Steps, send, store_call
from chat.store.client import execute_command
from chat.store.scripts import ScriptCall, milliseconds, read_script

# Seconds after which an equal request is another one.
MAX_AGE = 600.0


@store_call
def attach(request_digest: str, *, request_id: str, is_repeated: bool) -> Steps[str]:
    """Return the id of the first of equal requests; remember this one as the last.

    Raises:
        StoreFull, StoreUnavailable
    """
    call = ScriptCall(
        read_script("attach"),
        [keys.repeated_request(request_digest)],
        (request_id, int(is_repeated), milliseconds(MAX_AGE)),
    )
    first: bytes = yield from send(call)
    return first.decode()


def last_of(request_digest: str) -> tuple[str, str]:
    """Return the ids of the first and the last of equal requests; "" if they are too old.

    Raises:
        StoreUnavailable
    """
    stored: bytes | None = execute_command("GET", keys.repeated_request(request_digest))
    first, last, _ = (stored or b"  ").decode().split(" ")
    return first, last
