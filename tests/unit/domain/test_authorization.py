"""The verdict on id tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from csms.domain.authorization import decide
from csms.ledger.rows import TokenRow

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def token(
    status: str = "accepted",
    kind: str = "ISO14443",
    *,
    begins: datetime | None = None,
    ends: datetime | None = None,
    retired: bool = False,
) -> TokenRow:
    return TokenRow(1, "T", kind, status, begins, ends, "GROUP", retired)


@pytest.mark.parametrize(
    ("candidates", "accept_unknown", "busy", "expected"),
    [
        ([token()], False, False, "Accepted"),
        ([token("blocked")], True, False, "Blocked"),
        ([token(ends=NOW)], False, False, "Expired"),
        ([token(ends=NOW + DAY)], False, False, "Accepted"),
        ([token(begins=NOW + DAY)], False, False, "Invalid"),
        ([token(retired=True)], False, False, "Unknown"),
        ([], False, False, "Unknown"),
        ([], True, False, "Accepted"),
        ([], True, True, "ConcurrentTx"),
        ([token("unknown")], False, False, "Unknown"),
        ([token("unknown")], True, False, "Accepted"),
        ([token()], False, True, "ConcurrentTx"),
        ([token("blocked")], False, True, "Blocked"),
        ([token(), token("blocked", "Central")], False, False, "Blocked"),
    ],
)
def test_verdicts(candidates: list[TokenRow], accept_unknown: bool, busy: bool, expected: str) -> None:
    decision = decide(candidates, token_type=None, accept_unknown=accept_unknown, busy_elsewhere=busy, now=NOW)
    assert decision.status == expected


def test_a_type_that_is_named_must_match() -> None:
    def ask(token_type: str) -> str:
        return decide([token()], token_type=token_type, accept_unknown=False, busy_elsewhere=False, now=NOW).status

    assert ask("ISO14443") == "Accepted"
    assert ask("eMAID") == "Unknown"


def test_the_station_is_told_group_and_end() -> None:
    decision = decide([token(ends=NOW + DAY)], token_type=None, accept_unknown=False, busy_elsewhere=False, now=NOW)
    assert (decision.group_id_token, decision.expires_at) == ("GROUP", NOW + DAY)
