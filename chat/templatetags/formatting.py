"""Numbers and moments as people read them."""

from datetime import UTC, datetime

from django import template

register = template.Library()


@register.filter
def grouped(number: int) -> str:
    """Return a number with a comma after each thousand."""
    return f"{number:,}"


@register.filter
def moment(seconds: float) -> str:
    """Return seconds since the epoch as a time of day, UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%H:%M:%S")
