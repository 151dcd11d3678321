"""Steps of a price series as people send them: CSV in, every line that is wrong named; pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Annotated, Final

import msgspec

from csms.domain.times import EARLIEST, LATEST
from csms.pricing.tariff import MOST_SERIES_STEPS, Instant, PriceSeries, SeriesStep
from csms.pricing.tariff_check import Problem, check_series

MOST_PROBLEMS: Final = 100

_COLUMNS: Final = ("start", "end", "price")
_LONGEST_FIELD: Final = 64
_PRICE: Final = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,30})?\Z", re.ASCII)
_AT: Final = re.compile(r"steps\[([0-9]+)\]\.?(.*)\Z", re.DOTALL)


class Step(msgspec.Struct, frozen=True):
    """A step and what people call it: "steps[2]" or "line 4"."""

    name: str
    step: SeriesStep


class Steps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON form of an upload; the steps may be in any order."""

    steps: Annotated[list[SeriesStep], msgspec.Meta(min_length=1, max_length=MOST_SERIES_STEPS)]


class BadSteps(ValueError):
    """An upload that is not taken; `problems` says why, at most MOST_PROBLEMS of them."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{problem.field}: {problem.reason}" for problem in problems))


def name_steps(upload: Steps) -> list[Step]:
    """The steps of the JSON form with their places in it."""
    return [Step(f"steps[{place}]", step) for place, step in enumerate(upload.steps)]


def read_csv(content: bytes) -> list[Step]:
    """The steps of a CSV text (RFC 4180, UTF-8, a header with start, end and price in any order). Raises BadSteps.

    Times are RFC 3339 with their offset, prices decimals with a point.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadSteps([Problem("", f"is no UTF-8 text: byte {error.start}")]) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    steps: list[Step] = []
    problems: list[Problem] = []
    try:
        header = [column.strip().lower() for column in next(reader, [])]
        if sorted(header) != sorted(_COLUMNS):
            raise BadSteps([Problem("line 1", "is no header with the columns start, end and price")])
        for row in reader:
            if not row:
                continue
            name = f"line {reader.line_num}"
            if len(row) != len(_COLUMNS):
                problems.append(Problem(name, f"has {len(row)} fields instead of {len(_COLUMNS)}"))
            else:
                step = _step(name, dict(zip(header, row, strict=True)))
                if isinstance(step, Step):
                    steps.append(step)
                else:
                    problems += step
            if len(problems) >= MOST_PROBLEMS:
                break
            if len(steps) > MOST_SERIES_STEPS:
                raise BadSteps([Problem(name, f"an upload has at most {MOST_SERIES_STEPS} steps")])
    except csv.Error as error:
        problems.append(Problem(f"line {reader.line_num}", str(error)))
    if problems:
        raise BadSteps(problems[:MOST_PROBLEMS])
    if not steps:
        raise BadSteps([Problem("line 2", "there is no step")])
    return steps


def check_steps(named: Sequence[Step]) -> list[Step]:
    """The steps in the order of time, sound in themselves and without overlaps among them. Raises BadSteps."""
    ordered = sorted(named, key=lambda one: one.step.start)
    found = check_series(PriceSeries(tuple(one.step for one in ordered)))
    if found:
        raise BadSteps([_renamed(problem, ordered) for problem in found])
    outside = (one for one in ordered if one.step.start < EARLIEST or one.step.end >= LATEST)
    if far := [Problem(one.name, "is not in the years 1970 to 2099") for one in islice(outside, MOST_PROBLEMS)]:
        raise BadSteps(far)
    return ordered


def _renamed(problem: Problem, ordered: Sequence[Step]) -> Problem:
    """A problem of the ordered series in terms of what was sent."""
    at = _AT.match(problem.field)
    if at is None:
        return problem
    place = int(at[1])
    reason = problem.reason
    if at[2] == "start" and place > 0:
        reason = f"overlaps {ordered[place - 1].name}"
    return Problem(f"{ordered[place].name}.{at[2]}" if at[2] else ordered[place].name, reason)


def _step(name: str, fields: dict[str, str]) -> Step | list[Problem]:
    start, end = _time(fields["start"]), _time(fields["end"])
    price = Decimal(fields["price"]) if _PRICE.match(fields["price"]) else None
    if start is not None and end is not None and price is not None:
        return Step(name, SeriesStep(start, end, price))
    problems = [
        Problem(f"{name}.{column}", "is not a date and time of RFC 3339 with an offset")
        for column, time in (("start", start), ("end", end))
        if time is None
    ]
    if price is None:
        problems.append(Problem(f"{name}.price", "is not a number such as 0.1234"))
    return problems


def _time(text: str) -> datetime | None:
    try:
        return msgspec.convert(text, Instant) if len(text) <= _LONGEST_FIELD else None
    except msgspec.ValidationError:
        return None
