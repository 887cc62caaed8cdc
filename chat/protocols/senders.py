"""Who sends a request: a principal, or the holder of a session's token."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from chat.accounts import principals, read_limits
from chat.accounts.client_ip import client_address
from chat.api import auth
from chat.conversation import sessions, tokens
from chat.domain import NO_HISTORY, Caller, History, Principal
from chat.domain.errors import NotAllowed, ParleyError, StoreUnavailable
from chat.settings import chat_settings
from chat.store.calls import Steps

T = TypeVar("T")

NEEDS_PRINCIPAL = "The token of a session only gives access to it. Use an API key or a JWT."


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The sender of a request."""

    identity: Caller | Principal
    # The client's.
    address: str
    request_id: str

    @property
    def principal(self) -> Principal:
        """Return the principal.

        Raises:
            NotAllowed: the sender has the token of one session only.
        """
        if isinstance(self.identity, Caller):
            raise NotAllowed(NEEDS_PRINCIPAL)
        return self.identity

    @property
    def own_session(self) -> str:
        """Return the id of the token's session; "" for a principal."""
        return self.identity.session_id if isinstance(self.identity, Caller) else ""

    def caller_of(self, session_id: str) -> Caller:
        """Return the caller of a session.

        Raises:
            SessionNotFound: the sender has no access to it.
        """
        return replace(auth.caller_of(self.identity, session_id), address=self.address)


def no_user() -> None:
    """Return None: the default, for bodies without a user."""


def authenticate(
    meta: Mapping[str, str], request_id: str, read_user: Callable[[], str | None] = no_user
) -> Steps[Sender]:
    """Return the sender of a request, which counts as a read. It may block: see `auth.may_block`.

    read_user: returns whom the body names. It is only called for an API key, after the request was
    counted for its tenant. The header `CHAT_OPENAI_USER_HEADER` is preferred to it.

    Raises:
        RateLimited: the client's session and address, or its user or tenant, reads too often.
        InvalidToken, SessionNotFound, SessionExpired, StoreUnavailable, IssuerUnavailable
        ParleyError: as `read_user`.
    """
    identity = yield from _identify(meta, read_user)
    return Sender(identity=identity, address=client_address(meta), request_id=request_id)


def admit(sender: Sender) -> Steps[None]:
    """Check that the sender may open a session now, which counts.

    Raises:
        NotAllowed: the sender has the token of one session only.
        and as `chat.conversation.sessions.admit`
    """
    yield from sessions.admit.steps(sender.address, sender.principal)


def open_session(
    sender: Sender,
    then: Callable[[Caller], Steps[T]],
    *,
    key: str,
    history: History = NO_HISTORY,
    **fields: Any,
) -> Steps[tuple[Caller, T]]:
    """Open a session for a sender that was admitted, and use it in the same round trip.

    then: returns the store call that uses it, as in `chat.conversation.sessions.create_session`.

    Returns the caller, and the result of the call.

    Raises:
        as `create_session` and the call
    """
    principal = sender.principal
    token, result = yield from sessions.create_session(
        then, history, address=sender.address, principal=principal, key=key, **fields
    )
    caller = Caller.from_principal(principal, tokens.new_caller(token).session_id)
    return replace(caller, address=sender.address), result


def read_model(caller: Caller, wanted: str | None) -> Steps[str | None]:
    """Return the session's model if the request names one: `with_model` compares them.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    if wanted is None:
        return None
    model: str = (yield from sessions.rules.steps(caller)).model
    return model


def with_model(
    caller: Caller, current: str | None, wanted: str | None, accepting: Steps[T]
) -> Steps[T]:
    """Accept a turn, after which the session uses another model, if the request names one.

    A request that is rejected changes nothing: the session gets its model back.

    current: as `read_model` returned it.
    """
    if wanted is None or wanted == current:
        return (yield from accepting)
    yield from sessions.update.steps(caller, {"model": wanted})
    try:
        result = yield from accepting
    except StoreUnavailable:
        raise  # the turn may have been accepted
    except ParleyError:
        yield from sessions.update.steps(caller, {"model": current})
        raise
    return result


def _identify(
    meta: Mapping[str, str], read_user: Callable[[], str | None]
) -> Steps[Caller | Principal]:
    token = auth.bearer_token(meta)
    if principals.is_api_key(token) and "HTTP_PARLEY_USER" not in meta:
        header = "HTTP_" + chat_settings.OPENAI_USER_HEADER.upper().replace("-", "_")
        read_limits.check_party((yield from principals.identity_of_key(token)))
        named = meta.get(header) or read_user()
        principal = yield from principals.authenticate_for(token, named)
        read_limits.check_user(principal)
        return principal
    sender = yield from auth.authenticate.steps(meta)
    read_limits.check_client(sender, meta)
    if isinstance(sender, Caller):
        yield from sessions.read.steps(sender, limit=0)
    return sender
