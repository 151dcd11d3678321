"""The keyed permutation of OCPP 1.6 transaction ids (rule X1)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ledger.transaction_ids import COUNT, TransactionIdPermutation

PERMUTE = TransactionIdPermutation(b"k" * 32)


@given(st.sets(st.integers(0, COUNT - 1), max_size=200))
def test_different_numbers_give_different_positive_ids(numbers: set[int]) -> None:
    ids = {PERMUTE(number) for number in numbers}
    assert len(ids) == len(numbers)
    assert all(1 <= i <= COUNT for i in ids)


def test_the_ends_of_the_range_are_served_and_no_more() -> None:
    assert 1 <= PERMUTE(0) <= COUNT
    assert 1 <= PERMUTE(COUNT - 1) <= COUNT
    for outside in (-1, COUNT):
        with pytest.raises(ValueError, match="used up"):
            PERMUTE(outside)


def test_the_key_decides() -> None:
    other = TransactionIdPermutation(b"x" * 32)
    assert [PERMUTE(n) for n in range(10)] != [other(n) for n in range(10)]


def test_neighbours_show_no_pattern() -> None:
    ids = [PERMUTE(n) for n in range(1000)]
    assert len({b - a for a, b in pairwise(ids)}) > 990
    assert sum(i > COUNT // 2 for i in ids) in range(400, 600)
