"""Bans of addresses, API keys and users."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_network

from chat.domain.errors import Banned
from chat.domain.identity import ADDRESS_PREFIX


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose access an operator decides on: a network, an API key or a user."""

    # `ip:` and a network, or a client's address as sessions keep it; `key:<id>`; or `user:` and the
    # user's digest.
    name: str
    # For staff, such as `user alice of tenant shop`.
    label: str

    @property
    def address(self) -> str:
        """Return the network or the address; "" for a key or a user."""
        return self.name[len(ADDRESS_PREFIX) :] if self.name.startswith(ADDRESS_PREFIX) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """A ban as stored. Times are seconds since the epoch."""

    # Name and label of its `Subject`.
    subject: str
    label: str
    # For staff; clients do not see it.
    reason: str = ""
    # Who banned it, such as `staff admin`.
    created_by: str
    created_at: float
    # 0 for never.
    expires_at: float = 0.0

    def is_active(self, now: float) -> bool:
        return not self.expires_at or now < self.expires_at

    def to_error(self) -> Banned:
        """Return the error that clients get."""
        if not self.expires_at:
            return Banned()
        ends_at = datetime.fromtimestamp(self.expires_at, UTC)
        return Banned(
            f"This address, API key or user is banned until {ends_at:%Y-%m-%d %H:%M} UTC."
        )


class BanList:
    """Bans, arranged for look-ups: their time does not grow with the number of bans."""

    def __init__(self, bans: Iterable[Ban] = ()) -> None:
        self._by_subject = {ban.subject: ban for ban in bans}
        # Version and prefix length -> leading bits of a network -> its ban.
        self._networks: dict[tuple[int, int], dict[int, Ban]] = defaultdict(dict)
        # Whether sessions must be checked for who has opened them.
        self.has_openers = False
        # Whether addresses are banned in another form than as networks.
        self.has_hashes = False
        for ban in self._by_subject.values():
            self._add(ban)

    def __len__(self) -> int:
        return len(self._by_subject)

    def _add(self, ban: Ban) -> None:
        subject = Subject(name=ban.subject, label=ban.label)
        if not subject.address:
            self.has_openers = True
            return
        try:
            version, prefix, bits = leading_bits(subject.address)
        except ValueError:  # a hash
            self.has_hashes = True
            return
        self._networks[version, prefix][bits] = ban

    def find(self, names: Iterable[str], now: float) -> Ban | None:
        """Return the ban of one of these subjects."""
        found = (self._by_subject.get(name) for name in names)
        return next((ban for ban in found if ban is not None and ban.is_active(now)), None)

    def find_address(self, address: str, now: float) -> Ban | None:
        """Return the ban of a network that contains a client's address."""
        if not self._networks:
            return None
        try:
            version, length, bits = leading_bits(address)
        except ValueError:  # a Unix socket
            return None
        for (other, prefix), bans in self._networks.items():
            if other == version and prefix <= length:
                ban = bans.get(bits >> (length - prefix))
                if ban is not None and ban.is_active(now):
                    return ban
        return None


@lru_cache(maxsize=4096)
def leading_bits(network: str) -> tuple[int, int, int]:
    """Return version, prefix length and as many leading bits of a network or address.

    Raises:
        ValueError: it is neither.
    """
    parsed = ip_network(network)
    shift = parsed.max_prefixlen - parsed.prefixlen
    return parsed.version, parsed.prefixlen, int(parsed.network_address) >> shift
