"""Prices of models. Money is counted in micro-units, millionths of a currency unit, as integers.

Parley does not know the currency: prices and budgets must use the same one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Self

MICRO = 1_000_000
# Prices are for this many tokens.
TOKENS = 1_000_000


def to_micro_units(amount: float) -> int:
    """Return an amount in micro-units, rounded up; the decimal digits of a float are exact."""
    return int((Decimal(str(amount)) * MICRO).to_integral_value(ROUND_CEILING))


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs, in micro-units per million tokens."""

    input: int
    # Of prompt tokens that the vendor has read from its cache.
    cached_input: int
    output: int

    @classmethod
    def from_amounts(cls, amounts: Mapping[str, float]) -> Self:
        """Return a price from amounts in currency units; `cached_input` defaults to `input`."""
        return cls(
            input=to_micro_units(amounts["input"]),
            cached_input=to_micro_units(amounts.get("cached_input", amounts["input"])),
            output=to_micro_units(amounts["output"]),
        )

    def cost(self, *, prompt: int, completion: int, cached: int = 0) -> int:
        """Return what tokens cost in micro-units, rounded up once per call.

        cached: those of the prompt tokens that have the price `cached_input`.
        `lua/lib/budgets.lua` computes the same.
        """
        total = (
            (prompt - cached) * self.input + cached * self.cached_input + completion * self.output
        )
        return -(-total // TOKENS)

    def max_cost(self, *, prompt: int, completion: int) -> int:
        """Return the most that a call can cost, whatever is cached."""
        dearest = max(self.input, self.cached_input)
        return -(-(prompt * dearest + completion * self.output) // TOKENS)


# Of models without a price.
FREE = Price(input=0, cached_input=0, output=0)
