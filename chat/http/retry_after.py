"""The `Retry-After` header of HTTP responses: parsing it and computing its value."""

import math
import re
import time
from collections.abc import Mapping
from email.utils import mktime_tz, parsedate_tz


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the delay in seconds that response headers request, or `None`."""
    if (value := _seconds(headers.get("retry-after-ms", ""))) is not None:  # OpenAI, Azure
        return value / 1000
    text = headers.get("retry-after") or headers.get("llm_provider-retry-after", "")  # LiteLLM
    if (value := _seconds(text)) is not None:
        return value
    if (then := _epoch(text)) is None:
        return None
    # Relative to the server's clock if it sent one: it may differ from ours.
    now = _epoch(headers.get("date", ""))
    return max(0.0, then - (time.time() if now is None else now))


def whole_seconds(delay: float) -> int:
    """Return a delay as the header's value: in whole seconds, at least 1."""
    return max(1, math.ceil(delay))


def _seconds(text: str) -> float | None:
    # Servers in Python send all digits of a float.
    return float(text) if re.fullmatch(r"\s*\d{1,12}(?:\.\d{1,20})?\s*", text, re.ASCII) else None


def _epoch(text: str) -> float | None:
    parsed = parsedate_tz(text)
    if parsed is None:
        return None
    try:
        return float(mktime_tz(parsed))
    except (ValueError, OverflowError):
        return None
