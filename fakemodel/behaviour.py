"""How one call is answered: the fault, the speed, the length."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum


class Fault(StrEnum):
    """Ways to fail; docs/fake-model.md describes what each one sends."""

    STATUS = "status"
    TOO_LONG = "too_long"
    HANG = "hang"
    STALL = "stall"
    DRIP = "drip"
    DISCONNECT = "disconnect"
    CUT = "cut"
    RESET = "reset"
    NO_FINISH_REASON = "no_finish_reason"
    NO_DONE = "no_done"
    HTML = "html"
    NOT_HTTP = "not_http"
    INVALID_JSON = "invalid_json"
    INVALID_UTF8 = "invalid_utf8"
    LONE_SURROGATE = "lone_surrogate"
    GZIP_BOMB = "gzip_bomb"
    EMPTY_REPLY = "empty_reply"
    EMPTY_BODY = "empty_body"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    REDIRECT = "redirect"
    HUGE = "huge"
    LONG_LINE = "long_line"
    ENDLESS = "endless"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    ERROR_EVENT = "error_event"
    UNKNOWN_FIELDS = "unknown_fields"
    UNUSUAL_SSE = "unusual_sse"
    SPLIT = "split"
    CLOSE_DELIMITED = "close_delimited"
    NO_USAGE = "no_usage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How one call is answered. None means "not set"."""

    fault: Fault | None = None
    # HTTP status of the fault `status`, 400 to 599.
    status: int | None = None
    # The vendor's error code in the body of the fault `status`.
    code: str | None = None
    # Retry-After header in seconds.
    retry_after: float | None = None
    # Retry-After header as an HTTP date this many seconds from now.
    retry_after_date: float | None = None
    # Seconds until the model is loaded, as in a 503 of Hugging Face.
    estimated_time: float | None = None
    # Tokens sent before the fault starts; None usually means half of the reply.
    after: int | None = None
    # Size of an oversized reply in megabytes.
    mb: float | None = None
    # Number of calls that the fault affects; None means all of them.
    times: int | None = None
    # Probability that the fault affects a call, 0 to 1.
    probability: float | None = None
    # Seconds until the first byte.
    latency: float | None = None
    # Tokens per second of a stream; 0 means unlimited.
    rate: float | None = None
    # Bytes per second of the fault `drip`; None means 1.
    byte_rate: float | None = None
    # Random variation of latency and token intervals, as a fraction of them, 0 to 1.
    jitter: float | None = None
    # Length of the reply in tokens: it is cut or filled; 0 means unchanged.
    tokens: int | None = None
    # The text of the reply; only scripts can set it.
    reply: str | None = None
    # Whether the reply ends with a line of JSON: all messages that the model received.
    history: bool | None = None
    # Whether the reply to a plain-text prompt continues with further turns, as base models do.
    run_on: bool | None = None
    # Whether reasoning precedes the reply, in the fields that the server uses for it.
    reasoning: bool | None = None
    # Whether reasoning precedes the reply as `<think>...</think>` in its text.
    think: bool | None = None


def merge(base: Behaviour, override: Behaviour) -> Behaviour:
    """Return `base` with every field that `override` sets."""
    values = {field.name: getattr(override, field.name) for field in fields(override)}
    return replace(base, **{name: value for name, value in values.items() if value is not None})
