"""Who makes a request: the principal that an API key or a JWT names.

Every interface uses this module. The form of the bearer token decides what it is; session tokens
are checked by the scripts that use them (`chat.conversation.tokens`).
"""

from chat.accounts import api_keys, bans, jwts
from chat.accounts.jwts import USER
from chat.domain import ApiKey, Identity, Principal, Scope
from chat.domain.errors import InvalidToken
from chat.store.calls import Steps, store_call

API_KEY_PREFIX = "pk_"
ONLY_KEYS_ACT_FOR_USERS = "Parley-User requires an API key."


def is_principal_token(token: str) -> bool:
    """Return whether the token has the form of an API key or a JWT. Checking it may take I/O."""
    return is_api_key(token) or jwts.has_form(token)


def is_api_key(token: str) -> bool:
    return token.startswith(API_KEY_PREFIX)


def may_block(token: str) -> bool:
    """Return whether `authenticate` may block, to fetch the keys of an issuer."""
    return not is_api_key(token) and jwts.has_form(token) and jwts.may_fetch(token)


@store_call
def authenticate(token: str, *, user: str | None = None) -> Steps[Principal]:
    """Return who sends this API key or JWT. Of a JWT, it may fetch the keys of the issuer.

    user: the user whom an API key acts for; `None` for the whole tenant.

    Raises:
        InvalidToken: the token is not valid, or may not act for the user.
        Banned: the key or the user is banned.
        StoreUnavailable, IssuerUnavailable: it could not be checked.
    """
    if not is_api_key(token):
        if user is not None:
            raise InvalidToken(ONLY_KEYS_ACT_FOR_USERS)
        return bans.check_principal(jwts.verify(token))
    return _from_key((yield from api_keys.verify.steps(token)), user)


def identity_of_key(token: str) -> Steps[Identity]:
    """Return who sends an API key, whichever user it acts for.

    Raises:
        InvalidToken, StoreUnavailable
    """
    key = yield from api_keys.verify.steps(token)
    return Identity(tenant=key.tenant, api_key=key.id)


def authenticate_for(api_key: str, user: str | None) -> Steps[Principal]:
    """Return who sends this API key, for a user whom the request names informally.

    The key acts for that user if it may, and else for its tenant.

    Raises:
        InvalidToken: the key is not valid, or the user's name is not: the key never acts for the
            whole tenant instead.
        Banned, StoreUnavailable
    """
    key = yield from api_keys.verify.steps(api_key)
    return _from_key(key, user if user and Scope.USERS in key.scopes else None)


def _from_key(key: ApiKey, user: str | None) -> Principal:
    needed = Scope.SESSIONS if user is None else Scope.USERS
    if needed not in key.scopes:
        raise InvalidToken(f"The API key lacks the scope `{needed}`.")
    if user is not None and not USER.fullmatch(user):
        raise InvalidToken("A user must have 1 to 255 printable ASCII characters and no space.")
    return bans.check_principal(
        Principal(
            tenant=key.tenant,
            user=user or "",
            api_key=key.id,
            valid_until=key.expires_at,
            policy=key.policy,
        )
    )
