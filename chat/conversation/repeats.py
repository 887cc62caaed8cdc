"""Requests that clients repeat without an idempotency key, such as OpenAI's SDKs.

The first of equal requests gives its id to all others, as the idempotency key of what they do.
"""

from dataclasses import dataclass

from chat.conversation.idempotency import digest
from chat.domain import Caller, Principal
from chat.domain.ids import random_id
from chat.store import repeats
from chat.store.calls import Steps, store_call


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A request, and the first one that is equal to it."""

    # Of the request and its sender.
    digest: str
    # The idempotency key that equal requests share.
    key: str
    # Ids of the first request, and of this one.
    first: str
    id: str


@store_call
def attach(
    sender: Caller | Principal, request: bytes, *, key: str, is_repeated: bool
) -> Steps[Attachment]:
    """Attach a request to the first one that is equal.

    key: the client's idempotency key; requests of a sender with one key are equal. Without it,
    those with the same body are, if all but the first say that they are repeated.

    Raises:
        StoreFull, StoreUnavailable
    """
    own = digest(sender.credential, key or request)
    request_id = random_id()
    first = yield from repeats.attach.steps(
        own, request_id=request_id, is_repeated=bool(key) or is_repeated
    )
    shared = own if key else digest(own, first)
    return Attachment(digest=own, key=shared, first=first, id=request_id)


def is_last(attachment: Attachment) -> bool:
    """Return whether no equal request has attached later.

    Raises:
        StoreUnavailable
    """
    first, last = repeats.last_of(attachment.digest)
    return first != attachment.first or last == attachment.id
