"""Whether a secret key can be guessed."""

import zlib
from itertools import pairwise

CHARS, DISTINCT = 50, 9
"""Fewest characters of a key, and fewest different ones; 32 bytes as hex have both."""
NEWS = 32
"""Fewest bytes that a key takes when all that repeats in it is left out."""
BARE = len(zlib.compress(b"", 9))
PLACEHOLDERS = ("django-insecure-", "changeme", "change-me", "change_me", "placeholder", "example")
"""What stands in keys that somebody was to replace."""


def weakness(key: str) -> str:
    """Return why the key is weak, or "" for a good one."""
    if len(key) < CHARS:
        return f"it has fewer than {CHARS} characters"
    if any(word in key.lower() for word in PLACEHOLDERS):
        return "it is an example's"
    if len(set(key)) < DISTINCT:
        return f"it has fewer than {DISTINCT} different characters"
    if len(zlib.compress(key.encode(), 9)) - BARE < NEWS or _runs(key) > len(key) / 2:
        return "it is a pattern"
    return ""


def _runs(key: str) -> int:
    """Return how many characters are the same as the one before, or next to it in the alphabet."""
    return sum(abs(ord(here) - ord(before)) <= 1 for before, here in pairwise(key))
