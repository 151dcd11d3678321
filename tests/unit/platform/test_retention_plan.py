"""What is due in a month of samples or events: the decision alone, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.store.retention import Plan, plan_partition

BEGINS, ENDS = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
KEPT = {1: None, 2: 30, 3: 60, 4: 60, 5: 90}


@pytest.mark.parametrize(
    ("present", "days_after_its_end", "expected"),
    [
        ([2], 29, Plan(ENDS + timedelta(days=30))),
        ([2], 30, Plan(ENDS + timedelta(days=30))),
        # rows of two tenants with the longest retention wait for the drop; the shorter one's are deleted
        ([2, 3, 4], 45, Plan(ENDS + timedelta(days=60), {2: 30})),
        ([2, 3, 4], 60, Plan(ENDS + timedelta(days=60))),
        # one that keeps its rows for ever has the others' deleted
        ([1, 2, 5], 60, Plan(None, {2: 30, 5: 90})),
        ([1], 10_000, Plan(None)),
        # a tenant that is unknown keeps its rows
        ([2, 99], 60, Plan(None, {2: 30})),
        ([], 30, Plan(ENDS + timedelta(days=31))),
        ([2, 5], -40, Plan(ENDS + timedelta(days=90))),
    ],
)
def test_a_month(present: list[int], days_after_its_end: int, expected: Plan) -> None:
    assert plan_partition(BEGINS, ENDS, present, KEPT, ENDS + timedelta(days=days_after_its_end)) == expected


@given(st.dictionaries(st.integers(1, 5), st.one_of(st.none(), st.integers(7, 400)), max_size=5), st.integers(-40, 500))
def test_no_row_goes_before_its_time(kept: dict[int, int | None], days_after_its_end: int) -> None:
    now = ENDS + timedelta(days=days_after_its_end)
    plan = plan_partition(BEGINS, ENDS, list(kept), kept, now)
    if plan.due is not None and plan.due <= now:
        assert all(days is not None and ENDS + timedelta(days=days) <= now for days in kept.values())
    for tenant, days in plan.delete.items():
        assert kept[tenant] == days
    # and what is past in all of the month goes one way or the other
    for tenant, days in kept.items():
        if days is not None and ENDS + timedelta(days=days) <= now:
            assert (plan.due is not None and plan.due <= now) or tenant in plan.delete or days == max(filter(None, kept.values()))
