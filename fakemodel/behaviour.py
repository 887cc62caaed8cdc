"""What a call can be told to do."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum


class Fault(StrEnum):
    """Ways to misbehave; `docs/fake-model.md` says what each one sends."""

    STATUS = "status"
    HANG = "hang"
    STALL = "stall"
    DRIP = "drip"
    REFUSE = "refuse"
    CUT = "cut"
    RESET = "reset"
    NO_END = "no_end"
    NO_DONE = "no_done"
    HTML = "html"
    NOT_HTTP = "not_http"
    BROKEN = "broken"
    BAD_UTF8 = "bad_utf8"
    SURROGATE = "surrogate"
    GZIP_BOMB = "gzip_bomb"
    EMPTY = "empty"
    BLANK = "blank"
    WRONG_TYPE = "wrong_type"
    REDIRECT = "redirect"
    HUGE = "huge"
    LONG_LINE = "long_line"
    ENDLESS = "endless"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    ERROR_EVENT = "error_event"
    UNKNOWN_FIELDS = "unknown_fields"
    ODD_SSE = "odd_sse"
    SPLIT = "split"
    UNTIL_CLOSE = "until_close"
    NO_USAGE = "no_usage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How one call is answered; None leaves it to what was said elsewhere."""

    fault: Fault | None = None
    status: int | None = None
    """The HTTP status of the fault `status`, 400 to 599."""
    code: str | None = None
    """The vendor's error code that goes with it."""
    retry_after: float | None = None
    """Seconds in the header Retry-After; None sends none."""
    retry_date: float | None = None
    """Seconds from now that Retry-After names as an HTTP date."""
    estimated_time: float | None = None
    """Seconds until the model is loaded, as a Hugging Face 503 tells them."""
    after: int | None = None
    """Tokens sent well before the fault begins; None mostly means half of the reply."""
    mb: float | None = None
    """Megabytes of a huge reply."""
    times: int | None = None
    """How many calls the fault hits before all is well; None means every call."""
    chance: float | None = None
    """Share of calls that the fault hits, 0 to 1."""
    latency: float | None = None
    """Seconds to the first byte."""
    rate: float | None = None
    """Tokens per second of a stream, 0 for as fast as possible."""
    byte_rate: float | None = None
    """Bytes per second of a drip; None means one."""
    jitter: float | None = None
    """Share by which latency and gaps vary at random, 0 to 1."""
    tokens: int | None = None
    """Length that the reply is cut or filled to, in tokens; 0 leaves it as it is."""
    reply: str | None = None
    """The reply itself, word for word; in scripts only."""
    history: bool | None = None
    """Whether the reply ends with a line of JSON: all messages that the model was shown."""
    run_on: bool | None = None
    """Whether a flat format talks on past its turn (`Human: ...`), as raw models do."""


def merge(base: Behaviour, over: Behaviour) -> Behaviour:
    """`base`, with whatever `over` says in its place."""
    said = {field.name: getattr(over, field.name) for field in fields(over)}
    return replace(base, **{name: value for name, value in said.items() if value is not None})
