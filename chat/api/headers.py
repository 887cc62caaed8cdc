"""Request headers: parsing and validation."""

import re
from collections.abc import Mapping

from chat.conversation.idempotency import check_key
from chat.domain.errors import InvalidRequest
from chat.domain.ids import random_id

# None of these characters can forge a line of the log.
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SEQ = re.compile(r"[0-9]{1,15}")
ETAG = re.compile(r'"(\d{1,15})-(-?\d{1,15})-(\d{1,15})"')


def request_id(meta: Mapping[str, str]) -> str:
    """Return the request's X-Request-ID, or a new id if it is missing or not valid."""
    value = meta.get("HTTP_X_REQUEST_ID", "")
    return value if REQUEST_ID.fullmatch(value) else new_request_id()


def new_request_id() -> str:
    return f"req_{random_id()}"


def idempotency_key(meta: Mapping[str, str], *, is_secret: bool = False) -> str:
    """Return the Idempotency-Key, or "" if there is none.

    Raises:
        InvalidRequest: it is too short or too long, or is not printable ASCII.
    """
    key = meta.get("HTTP_IDEMPOTENCY_KEY")
    return "" if key is None else check_key(key, is_secret=is_secret)


def etag(seq: int, after: int, limit: int) -> str:
    """Return the ETag of a snapshot. It is weak: times may change while the seq does not."""
    return f'W/"{seq}-{after}-{limit}"'


def known_seq(meta: Mapping[str, str], after: int, limit: int) -> int:
    """Return the seq in If-None-Match for this `after` and `limit`, or -1 if there is none."""
    for tag_seq, tag_after, tag_limit in ETAG.findall(meta.get("HTTP_IF_NONE_MATCH", "")):
        if (int(tag_after), int(tag_limit)) == (after, limit):
            return int(tag_seq)
    return -1


def has_if_none_match_any(meta: Mapping[str, str]) -> bool:
    """Return whether the request has `If-None-Match: *`."""
    return meta.get("HTTP_IF_NONE_MATCH", "").strip() == "*"


def last_event_id(meta: Mapping[str, str], default: int) -> int:
    """Return the seq in Last-Event-ID, or `default` if there is none.

    Raises:
        InvalidRequest: the header is not a seq.
    """
    value = meta.get("HTTP_LAST_EVENT_ID", "")
    if not value:
        return default
    if not SEQ.fullmatch(value):
        raise InvalidRequest("Last-Event-ID must be the id of an event.", param="Last-Event-ID")
    return int(value)
