"""API keys, `pk_<id>_<secret>`. Only their SHA-256 is stored."""

import logging
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest

from chat.domain import ApiKey, Scope
from chat.domain.errors import InvalidRequest, InvalidToken, NotFound, StoreFull, StoreUnavailable
from chat.domain.policy import NO_POLICY, Policy, option_problem
from chat.store import api_keys as store
from chat.store.calls import Steps, store_call

logger = logging.getLogger(__name__)

# The secret has 256 bits.
API_KEY = re.compile(r"pk_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
KEY_ID = re.compile(r"[0-9a-f]{12}")
# Names in scripts and URLs: no white space.
TENANT = re.compile(r"[A-Za-z0-9._-]{1,64}")
MAX_NAME_CHARS = 100
# Seconds for which a process remembers a key. A revocation takes effect within this time; and a key
# costs its process one command every two seconds, not one for each request.
CACHE_SECONDS = 2.0
# Keys that a process remembers, unknown ones included.
MAX_CACHED = 10_000
# Seconds between two records of a key's use by one process.
USE_INTERVAL = 60.0

INVALID_KEY = "The API key is unknown, expired or revoked."


@dataclass(slots=True)
class CachedKey:
    """A key as it was at a time of the monotonic clock; `None` if it did not exist."""

    key: ApiKey | None
    read_at: float


@dataclass(slots=True)
class CachedPolicies:
    """Whether a key had a policy at a time of the monotonic clock."""

    exist: bool = False
    read_at: float = float("-inf")


_cache: dict[str, CachedKey] = {}
_policies = CachedPolicies()
# Key -> when its use was recorded, by the monotonic clock.
_recorded_uses: dict[str, float] = {}


def create(
    *,
    name: str,
    tenant: str = "",
    scopes: Sequence[str] = (),
    expires_at: float = 0.0,
    policy: Policy = NO_POLICY,
) -> tuple[str, ApiKey]:
    """Create a key; return it with its secret, which cannot be retrieved later.

    scopes: default `sessions`. expires_at: seconds since the epoch; 0 for never.

    Raises:
        InvalidRequest: an argument is invalid.
        StoreFull, StoreUnavailable
    """
    key_id = secrets.token_hex(6)
    text = f"pk_{key_id}_{secrets.token_urlsafe(32)}"
    key = ApiKey(
        id=key_id,
        key_hash=_hash(text),
        name=_check_name(name),
        tenant=_check_tenant(tenant),
        scopes=_check_scopes(scopes),
        created_at=time.time(),
        expires_at=_check_expiry(expires_at),
        policy=_check_policy(policy),
    )
    store.add(key)
    return text, key


def revoke(key_id: str) -> ApiKey:
    """Revoke a key. It stops working everywhere within seconds, open streams included.

    Raises:
        NotFound: there is no such key.
        StoreUnavailable
    """
    (key,) = store.get_many([key_id])
    if key is None:
        raise NotFound("There is no API key with this id.")
    if not key.revoked_at:
        store.set_revoked(key, at=time.time())
    return key


def list_with_last_use() -> list[tuple[ApiKey, float]]:
    """Return all keys, the newest first, and when each was used; 0 for never.

    Raises:
        StoreUnavailable
    """
    used = store.last_used()
    return [(key, used.get(key.id, 0.0)) for key in store.all_keys()]


@store_call
def verify(text: str) -> Steps[ApiKey]:
    """Return the key that a client has sent.

    Raises:
        InvalidToken: it is malformed, unknown, expired or revoked.
        StoreUnavailable
    """
    match = API_KEY.fullmatch(text)
    key = (yield from _get(match[1])) if match else None
    if key is None or not compare_digest(key.key_hash, _hash(text)):
        raise InvalidToken(INVALID_KEY)
    if not key.is_valid(time.time()):
        raise InvalidToken(INVALID_KEY)
    yield from _record_use(key.id)
    return key


def have_policies() -> Steps[bool]:
    """Return whether a key has a policy; read again after `CACHE_SECONDS`.

    Raises:
        StoreUnavailable
    """
    now = time.monotonic()
    if now - _policies.read_at > CACHE_SECONDS:
        all_keys = yield from store.all_keys.steps()
        _policies.exist = any(key.policy != NO_POLICY for key in all_keys)
        _policies.read_at = now
    return _policies.exist


def _get(key_id: str) -> Steps[ApiKey | None]:
    now = time.monotonic()
    cached = _cache.get(key_id)
    if cached is None or now - cached.read_at > CACHE_SECONDS:
        if len(_cache) >= MAX_CACHED:
            _cache.clear()
        (key,) = yield from store.get_many.steps([key_id])
        cached = _cache[key_id] = CachedKey(key, now)
    return cached.key


def _record_use(key_id: str) -> Steps[None]:
    now = time.monotonic()
    if now - _recorded_uses.get(key_id, -USE_INTERVAL) < USE_INTERVAL:
        return
    _recorded_uses[key_id] = now
    try:
        yield from store.set_last_used.steps(key_id, at=time.time())
    except StoreFull:
        _recorded_uses.pop(key_id)  # record the next use
    except StoreUnavailable as error:  # only one node of a Cluster has this hash
        logger.warning("Could not record the use of an API key: %s", error.__cause__)


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _check_name(name: str) -> str:
    if not name.strip() or len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise InvalidRequest(
            f"The name must have 1 to {MAX_NAME_CHARS} printable characters.", param="name"
        )
    return name.strip()


def _check_tenant(tenant: str) -> str:
    if tenant and not TENANT.fullmatch(tenant):
        raise InvalidRequest(
            "The tenant must have 1 to 64 letters, digits, or characters of `._-`.", param="tenant"
        )
    return tenant


def _check_scopes(scopes: Sequence[str]) -> tuple[Scope, ...]:
    names = {scope.value for scope in Scope}
    if unknown := [scope for scope in scopes if scope not in names]:
        raise InvalidRequest(
            f"Unknown scope {unknown[0]!r}; use {' or '.join(sorted(names))}.", param="scopes"
        )
    return tuple(scope for scope in Scope if scope in set(scopes)) or (Scope.SESSIONS,)


def _check_policy(policy: Policy) -> Policy:
    if problem := option_problem(policy.client_options or {}):
        raise InvalidRequest(f"{problem}.", param="client_options")
    return policy


def _check_expiry(expires_at: float) -> float:
    if expires_at and expires_at <= time.time():
        raise InvalidRequest("The key would have expired already.", param="expires_at")
    return expires_at
