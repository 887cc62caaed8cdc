"""Whom an operator acts on: an address or network, an API key, or a user."""

import re
from ipaddress import IPv6Network, ip_network

from chat.accounts.api_keys import TENANT
from chat.domain import Principal
from chat.domain.bans import Subject
from chat.domain.errors import InvalidRequest, NotFound
from chat.domain.identity import (
    ADDRESS_PREFIX,
    DIGEST_DIGITS,
    KEY_PREFIX,
    TENANT_PREFIX,
    USER_PREFIX,
)
from chat.store import api_keys
from chat.store.stored_addresses import HASH_DIGITS, HASH_PREFIX

# Prefix lengths of the largest networks that can be named: a typing error must not name everyone.
MIN_PREFIX = {4: 8, 6: 16}
HASH = re.compile(rf"{HASH_PREFIX}[0-9a-f]{{{HASH_DIGITS}}}")
# A user whose name is not known, as bans and budgets store it.
USER_DIGEST = re.compile(rf"{USER_PREFIX}[0-9a-f]{{{DIGEST_DIGITS}}}")
# The smallest part of an IPv6 network that a client's address has.
CLIENT_PREFIX = 64


def from_fields(*, address: str = "", key: str = "", user: str = "", tenant: str = "") -> Subject:
    """Return the only one that these name: an address, or a key, or a user with tenant or key.

    Raises:
        InvalidRequest: they name none, or more than one, or a value is not valid.
        NotFound: there is no such key.
        StoreUnavailable
    """
    if bool(address) + bool(user or key) != 1 or (tenant and not user):
        raise InvalidRequest("Name an address, or an API key, or a user with its tenant or key.")
    if address:
        return from_address(address)
    return from_user(user, tenant=tenant, key_id=key) if user else from_key(key)


def openers(
    *, address: str = "", key: str = "", user: str = "", tenant: str = ""
) -> tuple[Subject, ...]:
    """Return all that are named: a filter for sessions that each of them has opened.

    user: with its tenant or key, or `user:` and its digest.

    Raises:
        InvalidRequest: a value is not valid.
        NotFound: there is no such key.
        StoreUnavailable
    """
    found = []
    if user:
        is_digest = not tenant and USER_DIGEST.fullmatch(user)
        found.append(
            Subject(name=user, label=user)
            if is_digest
            else from_user(user, tenant=tenant, key_id=key)
        )
    if key:
        found.append(from_key(key))
    if address:
        found.append(from_address(address))
    if tenant:
        if not TENANT.fullmatch(tenant):
            raise InvalidRequest("There is no tenant with this name.", param="tenant")
        found.append(Subject(name=TENANT_PREFIX + tenant, label=f"tenant {tenant}"))
    return tuple(found)


def from_address(text: str) -> Subject:
    """Return an IP address or network; of a single IPv6 address, its /64.

    It may also be a hash of an address, as sessions show it with `STORE_ADDRESSES=hashed`.

    Raises:
        InvalidRequest: it is neither, or the network is too large.
    """
    if HASH.fullmatch(text.strip()):
        return Subject(name=ADDRESS_PREFIX + text.strip(), label=f"address {text.strip()}")
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise InvalidRequest(
            f"{text!r} is not an IP address or network.", param="address"
        ) from error
    if network.prefixlen < MIN_PREFIX[network.version]:
        raise InvalidRequest(f"{network} is too large; name smaller networks.", param="address")
    if isinstance(network, IPv6Network) and network.prefixlen > CLIENT_PREFIX:
        network = network.supernet(new_prefix=CLIENT_PREFIX)
    is_single = network.prefixlen == network.max_prefixlen
    name = str(network.network_address if is_single else network)
    return Subject(name=ADDRESS_PREFIX + name, label=name)


def from_key(key_id: str) -> Subject:
    """Return an API key.

    Raises:
        NotFound: there is no such key.
        StoreUnavailable
    """
    (key,) = api_keys.get_many([key_id])
    if key is None:
        raise NotFound("There is no API key with this id.", param="key")
    return Subject(name=KEY_PREFIX + key.id, label=f"API key {key.id} ({key.name})")


def from_user(user: str, *, tenant: str = "", key_id: str = "") -> Subject:
    """Return a user of a tenant, or of the API key's tenant.

    Raises:
        InvalidRequest: neither tenant nor key is named.
        NotFound: there is no such key.
        StoreUnavailable
    """
    if not (tenant or key_id):
        raise InvalidRequest(
            "Name the user's tenant, or an API key that acts for the user.", param="user"
        )
    if not tenant:
        (key,) = api_keys.get_many([key_id])
        if key is None:
            raise NotFound("There is no API key with this id.", param="key")
        tenant = key.tenant
    principal = Principal(tenant=tenant, user=user, api_key="" if tenant else key_id)
    party = f"tenant {tenant}" if tenant else f"API key {key_id}"
    return Subject(name=principal.identity().owner, label=f"user {user} of {party}")
