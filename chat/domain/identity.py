"""Who opened a session: for fair shares, limits, and the partition of the session."""

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from chat.domain.policy import NO_POLICY, Policy

# Owner and party of sessions that Parley opened itself.
INTERNAL_OWNER = "parley"
USER_PREFIX = "user:"
KEY_PREFIX = "key:"
ADDRESS_PREFIX = "ip:"
TENANT_PREFIX = "tenant:"
# Prefixes of owners and parties that the operator knows. No address starts with them.
KNOWN_PREFIXES = (USER_PREFIX, TENANT_PREFIX, KEY_PREFIX)
# Hex digits of a user's digest: unique among the users of a deployment.
DIGEST_DIGITS = 24
# Hex digits that all session ids of a user start with. They decide the partition.
PARTITION_DIGITS = 4


def is_known(holder: str) -> bool:
    """Return whether an owner or party is a user, tenant or API key, and no address."""
    return holder.startswith(KNOWN_PREFIXES)


class PartyClass(StrEnum):
    """Whether the operator knows a party."""

    # A tenant, an API key, or Parley itself.
    KEY = "key"
    # A client without API key or JWT.
    ANONYMOUS = "anon"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who opened a session. All fields are empty if it was Parley itself.

    None of the strings contains white space.
    """

    # Tenant of the API key or of the JWT's issuer; "" for none.
    tenant: str = ""
    # The user within the tenant; "" for none.
    user: str = ""
    # Id of the API key; "" for none. It is not secret.
    api_key: str = ""
    # The client's address, and the /48 that contains an IPv6 address. The first one is an IPv4
    # address or an IPv6 /64.
    addresses: tuple[str, ...] = ()

    @property
    def owner(self) -> str:
        """Return the smallest unit that shares: the user, else the API key, else the address."""
        if self.user:
            return f"{USER_PREFIX}{self.user_digest}"
        if self.api_key:
            return f"{KEY_PREFIX}{self.api_key}"
        return f"{ADDRESS_PREFIX}{self.addresses[0]}" if self.addresses else INTERNAL_OWNER

    @property
    def party(self) -> str:
        """Return the larger unit: the tenant, else the API key, else IPv4 address or IPv6 /48."""
        if self.tenant:
            return f"{TENANT_PREFIX}{self.tenant}"
        if self.api_key:
            return f"{KEY_PREFIX}{self.api_key}"
        return f"{ADDRESS_PREFIX}{self.addresses[-1]}" if self.addresses else INTERNAL_OWNER

    @property
    def party_class(self) -> PartyClass:
        is_known = self.tenant or self.api_key or not self.addresses
        return PartyClass.KEY if is_known else PartyClass.ANONYMOUS

    @property
    def quota_holders(self) -> tuple[str, ...]:
        """Return who may store a limited amount, the smallest first: owner and party, or addresses.

        Parley itself is not limited.
        """
        if self.tenant or self.api_key:
            return (self.owner, self.party) if self.user else (self.party,)
        return self.addresses

    @property
    def user_digest(self) -> str:
        """Return 24 hex digits that name the user of a tenant in Redis."""
        return sha256(f"{self.party}\0{self.user}".encode()).hexdigest()[:DIGEST_DIGITS]

    @property
    def id_prefix(self) -> str:
        """Return the digits that ids of the identity's sessions start with; "" for random ones."""
        return self.user_digest[:PARTITION_DIGITS] if self.user else ""


class Scope(StrEnum):
    """What an API key may do."""

    # Open sessions, and use those of its tenant.
    SESSIONS = "sessions"
    # Do the same for one user of its tenant, whom the header Parley-User names.
    USERS = "users"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key as stored: without its secret. Times are seconds since the epoch."""

    id: str
    # SHA-256 of the whole key, hex.
    key_hash: str = field(repr=False)
    name: str
    # "" for a key that is its own party.
    tenant: str = ""
    scopes: tuple[Scope, ...] = (Scope.SESSIONS,)
    created_at: float
    # 0 for never.
    expires_at: float = 0.0
    # 0 if it is not revoked.
    revoked_at: float = 0.0
    # Of the sessions that it opens.
    policy: Policy = NO_POLICY

    def is_valid(self, now: float) -> bool:
        return not self.revoked_at and (not self.expires_at or now < self.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Who may sign JWTs, and for which tenant's users. It has either `jwks_url` or `key`."""

    # `iss` and `aud` of the JWTs.
    issuer: str
    audience: str
    tenant: str
    # URL of a JSON Web Key Set (RFC 7517).
    jwks_url: str = ""
    # A public key, PEM.
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who makes a request with an API key or a JWT: a tenant, a key, or one user."""

    tenant: str = ""
    user: str = ""
    # Id of the API key; "" for a JWT.
    api_key: str = ""
    # When the key or JWT ends, in seconds since the epoch; 0 for never.
    valid_until: float = 0.0
    # Of the sessions that it opens.
    policy: Policy = NO_POLICY

    def identity(self, addresses: tuple[str, ...] = ()) -> Identity:
        """Return who opens a session with this key or JWT."""
        return Identity(
            tenant=self.tenant, user=self.user, api_key=self.api_key, addresses=addresses
        )

    @property
    def credential(self) -> str:
        """Return the owner or party whose sessions the principal may use."""
        identity = self.identity()
        return identity.owner if self.user else identity.party


# Sessions that Parley opens itself, such as imported ones.
PARLEY_ITSELF = Identity()
