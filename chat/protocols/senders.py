"""Who sends a request: a principal, or the holder of a session's token."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from chat.accounts import principals, read_limits
from chat.accounts.client_ip import client_address
from chat.api import auth
from chat.conversation import sessions, tokens
from chat.domain import NO_HISTORY, Caller, History, Principal
from chat.domain.errors import NotAllowed
from chat.settings import chat_settings

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
    """Name no user."""


def authenticate(
    meta: Mapping[str, str], request_id: str, read_user: Callable[[], str | None] = no_user
) -> Sender:
    """Return the sender of a request, which counts as a read. It may take I/O.

    read_user: returns whom the body names. It is only called for an API key, after the request was
    counted for its tenant. The header `CHAT_OPENAI_USER_HEADER` is preferred to it.

    Raises:
        RateLimited: the client's session and address, or its user or tenant, reads too often.
        InvalidToken, SessionNotFound, SessionExpired, StoreUnavailable, IssuerUnavailable
        ParleyError: as `read_user`.
    """
    return Sender(
        identity=_identify(meta, read_user), address=client_address(meta), request_id=request_id
    )


def open_session(
    sender: Sender, *, key: str, history: History = NO_HISTORY, **fields: Any
) -> Caller:
    """Open a session for the sender; return its caller.

    Raises:
        as `chat.conversation.sessions.create_session`
    """
    principal = sender.identity if isinstance(sender.identity, Principal) else None
    token = sessions.create_session(
        history, address=sender.address, principal=principal, key=key, **fields
    )
    caller = tokens.caller_from_token(token)
    if principal is not None:
        caller = Caller.from_principal(principal, caller.session_id)
    return replace(caller, address=sender.address)


def change_model(caller: Caller, model: str | None) -> None:
    """Let the session use another model from now on, if the request names one."""
    if model is None:
        return
    if orjson.loads(sessions.read(caller, limit=0).model) != model:
        sessions.update(caller, {"model": model})


def _identify(meta: Mapping[str, str], read_user: Callable[[], str | None]) -> Caller | Principal:
    token = auth.bearer_token(meta)
    if principals.is_api_key(token) and "HTTP_PARLEY_USER" not in meta:
        header = "HTTP_" + chat_settings.OPENAI_USER_HEADER.upper().replace("-", "_")
        read_limits.check_party(principals.identity_of_key(token))
        principal = principals.authenticate_for(token, meta.get(header) or read_user())
        read_limits.check_user(principal)
        return principal
    sender = auth.authenticate(meta)
    read_limits.check_client(sender, meta)
    if isinstance(sender, Caller):
        sessions.read(sender, limit=0)
    return sender
