"""When a third party is left alone, and when it is asked again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from csms.external_authorization.breaker import FAILURES, FIRST_PAUSE_S, LONGEST_PAUSE_S, CircuitBreaker


def _try(breaker: CircuitBreaker, now: float, *, succeeded: bool | None) -> bool:
    attempt = breaker.begin(now)
    if attempt is None:
        return False
    breaker.end(attempt, now, succeeded=succeeded)
    return True


def _opened(now: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker()
    for _ in range(FAILURES):
        assert _try(breaker, now, succeeded=False)
    return breaker


def test_failures_in_a_row_open_it_and_an_answer_between_them_does_not() -> None:
    breaker = CircuitBreaker()
    for _ in range(3):
        for _ in range(FAILURES - 1):
            _try(breaker, 0.0, succeeded=False)
        assert breaker.closed
        _try(breaker, 0.0, succeeded=True)
    assert _opened().state(0.0) == "open"


def test_an_open_one_lets_a_single_probe_pass_when_the_pause_is_over() -> None:
    breaker = _opened()
    assert not _try(breaker, FIRST_PAUSE_S - 0.01, succeeded=True)
    assert breaker.wait(1.0) == FIRST_PAUSE_S - 1.0
    probe = breaker.begin(FIRST_PAUSE_S)
    assert probe is not None
    assert breaker.state(FIRST_PAUSE_S) == "half_open"
    assert breaker.begin(FIRST_PAUSE_S + 100) is None
    breaker.end(probe, FIRST_PAUSE_S, succeeded=True)
    assert breaker.closed
    assert breaker.failures == 0
    assert _try(breaker, FIRST_PAUSE_S, succeeded=False)
    assert breaker.closed


def test_the_pause_doubles_up_to_a_minute() -> None:
    breaker, now, pauses = _opened(), 0.0, []
    for _ in range(6):
        pauses.append(breaker.wait(now))
        now += breaker.wait(now)
        assert _try(breaker, now, succeeded=False)
    assert pauses == [5.0, 10.0, 20.0, 40.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_a_probe_that_was_given_up_makes_room_for_the_next() -> None:
    breaker = _opened()
    assert _try(breaker, FIRST_PAUSE_S, succeeded=None)
    assert not breaker.closed
    assert _try(breaker, FIRST_PAUSE_S, succeeded=True)
    assert breaker.closed


def test_what_began_before_it_opened_has_no_say() -> None:
    breaker = CircuitBreaker()
    early = [breaker.begin(0.0) for _ in range(FAILURES + 2)]
    for attempt in early[:FAILURES]:
        assert attempt is not None
        breaker.end(attempt, 1.0, succeeded=False)
    wait = breaker.wait(1.0)
    late_failure, late_success = early[FAILURES:]
    assert late_failure is not None
    assert late_success is not None
    breaker.end(late_failure, 3.0, succeeded=False)
    assert breaker.wait(1.0) == wait
    breaker.end(late_success, 3.0, succeeded=True)
    assert not breaker.closed


@given(st.lists(st.tuples(st.floats(0, 30), st.sampled_from(["begin", "good", "bad", "lost"])), max_size=60))
def test_it_never_lets_two_probes_pass_and_never_stays_shut(steps: list[tuple[float, str]]) -> None:
    breaker, now = CircuitBreaker(), 0.0
    under_way = []
    for pause, step in steps:
        now += pause
        if step == "begin":
            attempt = breaker.begin(now)
            if attempt is not None:
                under_way.append(attempt)
        elif under_way:
            succeeded = {"good": True, "bad": False, "lost": None}[step]
            breaker.end(under_way.pop(0), now, succeeded=succeeded)
        assert sum(attempt.probe for attempt in under_way) <= 1
        assert breaker.wait(now) <= LONGEST_PAUSE_S
    for attempt in under_way:
        breaker.end(attempt, now, succeeded=None)
    last = breaker.begin(now + LONGEST_PAUSE_S)
    assert last is not None
    breaker.end(last, now + LONGEST_PAUSE_S, succeeded=True)
    assert breaker.closed
