"""Prices and costs."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.domain.prices import Price, to_micro_units

counts = st.integers(min_value=0, max_value=10**9)
rates = st.integers(min_value=0, max_value=10**9)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(0, 0), (0.1, 100_000), (0.3, 300_000), (1.0000001, 1_000_001), (1e-9, 1), (25, 25_000_000)],
)
def test_amounts_are_rounded_up(amount: float, expected: int) -> None:
    assert to_micro_units(amount) == expected


@given(prices=st.tuples(rates, rates, rates), tokens=st.tuples(counts, counts, counts))
def test_cost_is_rounded_up_once(
    prices: tuple[int, int, int], tokens: tuple[int, int, int]
) -> None:
    price = Price(input=prices[0], cached_input=prices[1], output=prices[2])
    new, cached, completion = tokens
    exact = Fraction(new * prices[0] + cached * prices[1] + completion * prices[2], 10**6)
    cost = price.cost(prompt=new + cached, cached=cached, completion=completion)
    assert exact <= cost < exact + 1
    assert cost <= price.max_cost(prompt=new + cached, completion=completion)
