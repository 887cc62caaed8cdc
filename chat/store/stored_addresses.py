"""The form in which sessions keep their clients' addresses: plain, as a hash, or not at all."""

import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache

from django.conf import settings

from chat.settings import chat_settings

HASH_PREFIX = "~"
HASH_DIGITS = 24
# Without addresses, sessions have a number instead, for limits and fair shares. It is one of
# 1,048,576, so that each stands for 4,096 IPv4 addresses.
NUMBER_PREFIX = "-"
NUMBER_DIGITS = 5


def stored_forms(addresses: Sequence[str]) -> tuple[str, ...]:
    """Return what a session keeps of a client's address and of the networks that contain it."""
    if chat_settings.STORE_ADDRESSES == "plain":
        return tuple(addresses)
    if chat_settings.STORE_ADDRESSES == "hashed":
        return tuple(map(hash_address, addresses))
    return tuple(NUMBER_PREFIX + _digest(each)[:NUMBER_DIGITS] for each in addresses)


def hash_address(address: str) -> str:
    """Return a hash with a salt, which follows from SECRET_KEY."""
    return HASH_PREFIX + _digest(address)[:HASH_DIGITS]


@lru_cache(maxsize=4096)
def _digest(address: str) -> str:
    key = hashlib.sha256(f"parley address {settings.SECRET_KEY}".encode()).digest()
    return hmac.digest(key, address.encode(), "sha256").hex()


def shown(addresses: str) -> str:
    """Return what staff see of the stored addresses; "" if they stand for many."""
    return "" if addresses.startswith(NUMBER_PREFIX) else addresses
