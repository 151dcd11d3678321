"""Rounding, and amounts as invoices state them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.pricing.exact import Rounding, multiple_above, plain, round_half_up, scaled, to_minor_unit


@pytest.mark.parametrize(("numerator", "rounded"), [(14, 1), (15, 2), (-15, -2), (-14, -1), (0, 0), (25, 3)])
def test_halves_go_up(numerator: int, rounded: int) -> None:
    assert round_half_up(numerator, 10) == rounded


@given(st.lists(st.integers(-(10**12), 10**12)), st.integers(1, 10**9))
def test_rounded_numbers_add_up_to_the_rounded_sum(values: list[int], scale: int) -> None:
    row = Rounding(scale)
    rounded = [row.next(value) for value in values]
    assert sum(rounded) == row.sum == Decimal(round_half_up(sum(values) * 10_000, scale)).scaleb(-4)
    assert all(abs(each * scale * 10_000 - value * 10_000) <= scale for each, value in zip(rounded, values, strict=True))


@pytest.mark.parametrize(("value", "step", "multiple"), [(0, 5, 0), (1, 5, 5), (5, 5, 5), (6, 5, 10)])
def test_multiples(value: int, step: int, multiple: int) -> None:
    assert multiple_above(value, step) == multiple


@pytest.mark.parametrize(("text", "digits", "whole"), [("1.5", 3, 1500), ("0.0005", 3, 1), ("0.0004", 3, 0), ("1E+3", 0, 1000)])
def test_scaled(text: str, digits: int, whole: int) -> None:
    assert scaled(Decimal(text), digits) == whole


@pytest.mark.parametrize(("value", "text"), [(1_000_000, "1"), (1_500_000, "1.5"), (0, "0"), (20_000_000, "20"), (-1, "-0.000001")])
def test_plain(value: int, text: str) -> None:
    assert str(plain(value, 6)) == text


@pytest.mark.parametrize(
    ("currency", "text"), [("EUR", "6.24"), ("JPY", "6"), ("KWD", "6.238"), ("CLF", "6.2375"), ("XXX", "6.24")]
)
def test_minor_units(currency: str, text: str) -> None:
    assert str(to_minor_unit(Decimal("6.2375"), currency)) == text
