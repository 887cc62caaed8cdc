"""Who opened a session: for fair shares, limits, and the partition of the session."""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

# Owner and party of sessions that Parley opened itself.
INTERNAL_OWNER = "parley"
# Hex digits of a user's digest: unique among the users of a deployment.
DIGEST_DIGITS = 24
# Hex digits that all session ids of a user start with. They decide the partition.
PARTITION_DIGITS = 4


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
            return f"user:{self.user_digest}"
        if self.api_key:
            return f"key:{self.api_key}"
        return f"ip:{self.addresses[0]}" if self.addresses else INTERNAL_OWNER

    @property
    def party(self) -> str:
        """Return the larger unit: the tenant, else the API key, else IPv4 address or IPv6 /48."""
        if self.tenant:
            return f"tenant:{self.tenant}"
        if self.api_key:
            return f"key:{self.api_key}"
        return f"ip:{self.addresses[-1]}" if self.addresses else INTERNAL_OWNER

    @property
    def party_class(self) -> PartyClass:
        is_known = self.tenant or self.api_key or not self.addresses
        return PartyClass.KEY if is_known else PartyClass.ANONYMOUS

    @property
    def user_digest(self) -> str:
        """Return 24 hex digits that name the user in keys of Redis."""
        return sha256(f"{self.tenant}\0{self.user}".encode()).hexdigest()[:DIGEST_DIGITS]

    @property
    def id_prefix(self) -> str:
        """Return the digits that ids of the identity's sessions start with; "" for random ones."""
        return self.user_digest[:PARTITION_DIGITS] if self.user else ""


# Sessions that Parley opens itself, such as imported ones.
PARLEY_ITSELF = Identity()
