"""Request headers that mean something to Parley, checked."""

import re
from collections.abc import Mapping

from chat.domain.errors import InvalidRequest
from chat.domain.ids import random_id

# Nothing that could forge a line of a log.
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Fewest characters of an idempotency key.
MIN_KEY_CHARS = 8
# Fewest characters of one that gives a token again to who knows it.
MIN_SECRET_KEY_CHARS = 16
MAX_KEY_CHARS = 255
SEQ = re.compile(r"[0-9]{1,15}")
ETAG = re.compile(r'"(\d{1,15})-(-?\d{1,15})-(\d{1,15})"')


def request_id(meta: Mapping[str, str]) -> str:
    """Return the id that the client or a proxy gave the request, or a new one."""
    given = meta.get("HTTP_X_REQUEST_ID", "")
    return given if REQUEST_ID.fullmatch(given) else f"req_{random_id()}"


def idempotency_key(meta: Mapping[str, str], *, is_secret: bool = False) -> str:
    """Return the Idempotency-Key, or "" when there is none.

    Raises:
        InvalidRequest: it is not 8 to 255 printable ASCII characters (at least 16 if
            `is_secret`).
    """
    key = meta.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return ""
    least = MIN_SECRET_KEY_CHARS if is_secret else MIN_KEY_CHARS
    if not re.fullmatch(key_pattern(least), key):
        raise InvalidRequest(
            f"An Idempotency-Key has {least} to {MAX_KEY_CHARS} printable ASCII characters.",
            param="Idempotency-Key",
        )
    return key


def key_pattern(min_chars: int) -> str:
    """Return the regular expression of idempotency keys of so many characters at least."""
    return rf"^[!-~][ -~]{{{min_chars - 2},{MAX_KEY_CHARS - 2}}}[!-~]$"


def etag(seq: int, after: int, limit: int) -> str:
    """Return the tag of a snapshot: weak, because times may move while the seq stands."""
    return f'W/"{seq}-{after}-{limit}"'


def known_seq(meta: Mapping[str, str], after: int, limit: int) -> int:
    """Return the seq that If-None-Match names for a snapshot asked for so, or -1."""
    for seq, its_after, its_limit in ETAG.findall(meta.get("HTTP_IF_NONE_MATCH", "")):
        if (int(its_after), int(its_limit)) == (after, limit):
            return int(seq)
    return -1


def has_if_none_match_any(meta: Mapping[str, str]) -> bool:
    """Return whether If-None-Match is met by whatever there is."""
    return meta.get("HTTP_IF_NONE_MATCH", "").strip() == "*"


def last_event_id(meta: Mapping[str, str], default: int) -> int:
    """Return the seq of the last event that the client has had, if it names one.

    Raises:
        InvalidRequest: it names something else.
    """
    given = meta.get("HTTP_LAST_EVENT_ID", "")
    if not given:
        return default
    if not SEQ.fullmatch(given):
        raise InvalidRequest("Last-Event-ID is the id of an event.", param="Last-Event-ID")
    return int(given)
