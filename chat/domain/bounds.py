"""What numbers may be."""

from typing import Annotated, TypeVar

N = TypeVar("N", int, float)
OrZero = Annotated[N, "or zero"]
"""A number that may be 0; what reads settings takes only positive ones without it."""
