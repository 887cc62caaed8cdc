"""Template filters that format numbers and times."""

from datetime import UTC, datetime

from django import template

register = template.Library()


@register.filter
def thousands(number: int) -> str:
    """Format a number with thousands separators: 12,345."""
    return f"{number:,}"


@register.filter
def time_of_day(timestamp: float) -> str:
    """Format seconds since the epoch as HH:MM:SS, UTC."""
    return datetime.fromtimestamp(timestamp, tz=UTC).strftime("%H:%M:%S")
