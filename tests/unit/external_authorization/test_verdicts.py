"""How the third party's word goes together with the tenant's own data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.domain.decisions import AuthorizationStatus, Decision
from csms.domain.external import Asks, ExternalVerdict, Fallback, answered_verdict, combine, decides, fallback_verdict

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
STATUSES = get_args(AuthorizationStatus)

decisions = st.builds(
    Decision,
    st.sampled_from(STATUSES),
    st.none() | st.datetimes(timezones=st.just(UTC)),
    st.none() | st.just("OWN"),
    st.none() | st.just("own words"),
)
verdicts = st.builds(
    ExternalVerdict,
    st.just("external: words"),
    st.none() | st.sampled_from(STATUSES),
    st.none() | st.datetimes(timezones=st.just(UTC)),
    st.none() | st.just("THEIRS"),
)


@given(decisions, verdicts, st.none() | st.sampled_from(get_args(Asks)), st.booleans())
def test_our_own_refusal_holds_and_nobody_is_let_in_beside_what_was_asked(
    own: Decision, verdict: ExternalVerdict, asks: Asks | None, known: bool
) -> None:
    both = combine(own, verdict, asks, known=known)
    if not own.accepted or not decides(verdict, asks, known=known):
        assert (both.status, both.expires_at, both.group_id_token) == (own.status, own.expires_at, own.group_id_token)
    else:
        assert both.status == verdict.status
        assert all(both.expires_at is not None and both.expires_at <= end for end in (own.expires_at, verdict.expires_at) if end)
    if both.status != own.status:
        assert both.reason == "external: words"


def test_the_words_for_the_operator() -> None:
    failure = "timed out after 2000 ms"
    own = Decision("Unknown", reason="nobody has registered this token")
    shown = combine(own, fallback_verdict("own_data", failure), "unknown_tokens", known=False)
    assert shown.reason == "nobody has registered this token; external: timed out after 2000 ms, fallback own_data"
    shown = combine(Decision("Accepted"), fallback_verdict("own_data", failure), "all_tokens", known=True)
    assert (shown.status, shown.reason) == ("Accepted", "external: timed out after 2000 ms, fallback own_data")
    shown = combine(Decision("Accepted"), answered_verdict("NoCredit", None, None, "no money"), "all_tokens", known=True)
    assert (shown.status, shown.reason) == ("NoCredit", "external: no money")


@pytest.mark.parametrize(("fallback", "status"), [("refuse", "Invalid"), ("accept", "Accepted"), ("own_data", None)])
def test_what_holds_without_an_answer(fallback: Fallback, status: str | None) -> None:
    verdict = fallback_verdict(fallback, "no hub answers")
    assert (verdict.status, verdict.reason) == (status, f"external: no hub answers, fallback {fallback}")


def test_the_earlier_end_holds_and_their_group_comes_first() -> None:
    own = Decision("Accepted", NOW + timedelta(days=2), "OWN", language="de")
    both = combine(own, answered_verdict("Accepted", NOW + timedelta(days=1), "THEIRS", None), "all_tokens", known=True)
    assert both == Decision("Accepted", NOW + timedelta(days=1), "THEIRS", "external: Accepted", "de")
    both = combine(own, answered_verdict("Accepted", NOW + timedelta(days=3), None, None), "all_tokens", known=True)
    assert both == Decision("Accepted", NOW + timedelta(days=2), "OWN", "external: Accepted", "de")
