"""Steps of a price series as CSV and JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.pricing.tariff import MOST_SERIES_STEPS, SeriesStep
from csms.tariffs.upload import MOST_PROBLEMS, BadSteps, Steps, check_steps, name_steps, read_csv

T0 = datetime(2026, 3, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def quarter(number: int, price: str = "0.1") -> SeriesStep:
    return SeriesStep(T0 + number * QUARTER, T0 + (number + 1) * QUARTER, Decimal(price))


def problems(content: bytes) -> list[tuple[str, str]]:
    with pytest.raises(BadSteps) as refused:
        check_steps(read_csv(content))
    return [(problem.field, problem.reason) for problem in refused.value.problems]


def test_columns_in_any_order_with_a_byte_order_mark_and_windows_line_ends() -> None:
    text = (
        "\ufeffPrice, start ,end\r\n0.25,2026-03-01T01:00:00+01:00,2026-03-01T00:15:00Z\r\n\r\n-0.001000,"
        '"2026-03-01T00:15:00Z",2026-03-01T00:30:00Z\r\n'
    )
    found = [one.step for one in check_steps(read_csv(text.encode()))]
    assert found == [quarter(0, "0.25"), quarter(1, "-0.001")]
    assert str(found[1].price) == "-0.001000"


def test_every_line_that_is_wrong_is_named() -> None:
    text = (
        b"start,end,price\n"
        b"2026-03-01T00:00:00Z,2026-03-01T00:15:00Z,0.1\n"
        b"2026-03-01T00:15:00,2026-03-01T00:30:00Z,0.1\n"
        b"1772323200,2026-03-01T00:45:00Z,0.1\n"
        b"2026-03-01T00:45:00Z,2026-03-01T01:00:00Z,NaN\n"
        b"2026-03-01T01:00:00Z,2026-03-01T01:15:00Z,1e9999\n"
        b"2026-03-01T01:15:00Z,2026-03-01T01:30:00Z\n"
    )
    assert problems(text) == [
        ("line 3.start", "is not a date and time of RFC 3339 with an offset"),
        ("line 4.start", "is not a date and time of RFC 3339 with an offset"),
        ("line 5.price", "is not a number such as 0.1234"),
        ("line 6.price", "is not a number such as 0.1234"),
        ("line 7", "has 2 fields instead of 3"),
    ]


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        ("2026-03-01T01:00:00Z,2026-03-01T01:00:00Z,0.1", "line 2.end", "is not after start"),
        ("2026-03-01T01:00:00Z,2026-03-01T02:00:00Z,10000.1", "line 2.price", "is not in -10000..10000"),
        ("2026-03-01T01:00:00Z,2026-03-01T02:00:00Z,0.1234567", "line 2.price", "has more than 6 decimals"),
        ("1969-03-01T01:00:00Z,2026-03-01T02:00:00Z,0.1", "line 2", "is not in the years 1970 to 2099"),
        ("2026-03-01T01:00:00Z,9999-12-31T23:59:59-23:00,0.1", "line 2", "is not in the years 1970 to 2099"),
        ("0001-01-01T00:00:00+23:00,2026-03-01T01:00:00Z,0.1", "line 2", "is not in the years 1970 to 2099"),
    ],
)
def test_values_that_no_price_has(line: str, field: str, reason: str) -> None:
    assert problems(f"start,end,price\n{line}\n".encode()) == [(field, reason)]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"", "line 1"),
        (b"start,end\n", "line 1"),
        (b"start,end,price,start\n", "line 1"),
        (b"start,end,price\n", "line 2"),
        (b"\xff\xfe", ""),
        (b'start,end,price\n"2026', "line 2"),
        (b"start,end,price\n" + b"x" * 200_000 + b",y,z\n", "line 2"),
        (b"start,end,price\n\0,\0,\0\n", "line 2.start"),
    ],
)
def test_what_is_no_such_file(content: bytes, field: str) -> None:
    assert problems(content)[0][0] == field


def test_problems_and_steps_are_limited() -> None:
    assert len(problems(b"start,end,price\n" + b"a,b,c\n" * 90_000)) == MOST_PROBLEMS
    line = b"2026-03-01T00:00:00Z,2026-03-01T00:15:00Z,0.1\n"
    assert (
        problems(b"start,end,price\n" + line * (MOST_SERIES_STEPS + 1))[-1][1] == f"an upload has at most {MOST_SERIES_STEPS} steps"
    )


def test_overlaps_are_named_on_both_sides() -> None:
    first, second = quarter(0), SeriesStep(T0 + QUARTER / 2, T0 + QUARTER * 2, Decimal(1))
    with pytest.raises(BadSteps) as refused:
        check_steps(name_steps(Steps([quarter(7), second, first])))
    assert [(p.field, p.reason) for p in refused.value.problems] == [("steps[1].start", "overlaps steps[2]")]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 4)), min_size=1, max_size=8))
def test_a_file_is_taken_exactly_if_no_two_of_its_steps_share_an_instant(spans: list[tuple[int, int]]) -> None:
    steps = [SeriesStep(T0 + at * QUARTER, T0 + (at + length) * QUARTER, Decimal(1)) for at, length in spans]
    covered = [quarter_of for at, length in spans for quarter_of in range(at, at + length)]
    try:
        ordered = check_steps(name_steps(Steps(steps)))
    except BadSteps:
        assert len(set(covered)) < len(covered)
    else:
        assert len(set(covered)) == len(covered)
        assert [one.step.start for one in ordered] == sorted(step.start for step in steps)
