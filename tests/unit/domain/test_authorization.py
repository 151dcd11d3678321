"""The verdict on id tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from csms.domain.authorization import Circumstances, decide, judge
from csms.domain.decisions import STATUS_OF_OCPP16
from csms.domain.known_tokens import KnownGroup, KnownToken
from csms.domain.restrictions import Area, Place, Restrictions, Window

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
"""A Wednesday."""
DAY = timedelta(days=1)
SESSION, OTHER = UUID(int=1), UUID(int=2)
PLACE = Place("CP-1", UUID(int=5), "DE", 52.5, 13.4, "Europe/Berlin", frozenset({UUID(int=7)}), {1: ("IEC_62196_T2",)})


def token(
    status: str = "accepted",
    kind: str = "ISO14443",
    *,
    begins: datetime | None = None,
    ends: datetime | None = None,
    retired: bool = False,
    **more: Any,
) -> KnownToken:
    return KnownToken(1, "T", kind, status, begins, ends, "GROUP", retired, **more)


def restricted(**restrictions: Any) -> KnownToken:
    return token(restrictions=Restrictions(**restrictions))


def at(**more: Any) -> Circumstances:
    fields: dict[str, Any] = {"now": NOW, "accept_unknown": False, "place": PLACE, "evse_id": 1, "usage": used()}
    return Circumstances(**(fields | more))


def used(sessions: int = 0, amount: str = "0") -> Any:
    return lambda _key, _since: (sessions, Decimal(amount))


def ask(*candidates: KnownToken, **more: Any) -> str:
    return decide(candidates, token_type=None, circumstances=at(**more)).status


@pytest.mark.parametrize(
    ("candidates", "accept_unknown", "elsewhere", "expected"),
    [
        ([token()], False, 0, "Accepted"),
        ([token("blocked")], True, 0, "Blocked"),
        ([token(ends=NOW)], False, 0, "Expired"),
        ([token(ends=NOW + DAY)], False, 0, "Accepted"),
        ([token(begins=NOW + DAY)], False, 0, "Invalid"),
        ([token(retired=True)], False, 0, "Unknown"),
        ([token(retired=True)], True, 0, "Blocked"),
        ([token(retired=True), token()], True, 0, "Accepted"),
        ([], False, 0, "Unknown"),
        ([], True, 0, "Accepted"),
        ([], True, 1, "ConcurrentTx"),
        ([token("unknown")], False, 0, "Unknown"),
        ([token("unknown")], True, 0, "Accepted"),
        ([token()], False, 1, "ConcurrentTx"),
        ([token("blocked")], False, 1, "Blocked"),
        ([token(), token("blocked", "Central")], False, 0, "Blocked"),
    ],
)
def test_verdicts(candidates: list[KnownToken], accept_unknown: bool, elsewhere: int, expected: str) -> None:
    verdict = judge(
        candidates, token_type=None, circumstances=at(accept_unknown=accept_unknown, elsewhere={"t": elsewhere}), key="t"
    )
    assert verdict.decision.status == expected
    assert (verdict.decision.reason is None) == verdict.decision.accepted


def test_a_type_that_is_named_must_match() -> None:
    def ask_as(token_type: str) -> str:
        return decide([token()], token_type=token_type, circumstances=at()).status

    assert ask_as("ISO14443") == "Accepted"
    assert ask_as("eMAID") == "Unknown"


def test_the_station_is_told_group_and_end() -> None:
    decision = decide([token(ends=NOW + DAY, language="de")], token_type=None, circumstances=at())
    assert (decision.group_id_token, decision.expires_at, decision.language) == ("GROUP", NOW + DAY, "de")


@pytest.mark.parametrize(
    ("restrictions", "more", "expected"),
    [
        ({"charge_points": ("cp-1",)}, {}, "Accepted"),
        ({"charge_points": ("CP-2",)}, {}, "NotAtThisLocation"),
        ({"charge_points": ("CP-2",), "locations": (UUID(int=5),)}, {}, "Accepted"),
        ({"charge_points": ("CP-2",), "station_groups": (UUID(int=7),)}, {}, "Accepted"),
        ({"station_groups": (UUID(int=8),)}, {}, "NotAtThisLocation"),
        ({"locations": (UUID(int=5),), "countries": ("FR",)}, {}, "NotAtThisLocation"),
        ({"countries": ("FR", "DE")}, {}, "Accepted"),
        ({"areas": (Area(52.52, 13.41, 5),)}, {}, "Accepted"),
        ({"areas": (Area(48.1, 11.6, 100),)}, {}, "NotAtThisLocation"),
        ({"areas": (Area(52.52, 13.41, 5),)}, {"place": Place("CP-1")}, "NotAtThisLocation"),
        ({"connector_types": ("iec_62196_t2",)}, {}, "Accepted"),
        ({"connector_types": ("CHADEMO",)}, {}, "NotAllowedTypeEVSE"),
        ({"connector_types": ("CHADEMO",)}, {"evse_id": None}, "Accepted"),
        ({"connector_types": ("CHADEMO",)}, {"evse_id": 2}, "NotAllowedTypeEVSE"),
        ({"hours": (Window(("WEDNESDAY",), "13:00", "14:00"),)}, {}, "Accepted"),
        ({"hours": (Window(("WEDNESDAY",), "12:00", "13:00"),)}, {}, "NotAtThisTime"),
        ({"hours": (Window(("WEDNESDAY",), "12:00", "13:00"),), "time_zone": "UTC"}, {}, "Accepted"),
        ({"sessions_per_day": 3}, {"usage": used(2)}, "Accepted"),
        ({"sessions_per_day": 3}, {"usage": used(3)}, "NoCredit"),
        ({"sessions_per_month": 3}, {"usage": used(3)}, "NoCredit"),
        ({"max_amount_per_month": Decimal("50.01")}, {"usage": used(9, "50.00")}, "Accepted"),
        ({"max_amount_per_month": Decimal("50.00")}, {"usage": used(9, "50.00")}, "NoCredit"),
        ({"max_concurrent_sessions": 2}, {"elsewhere": {"t": 1}}, "Accepted"),
        ({"max_concurrent_sessions": 2}, {"elsewhere": {"t": 2}}, "ConcurrentTx"),
    ],
)
def test_restrictions(restrictions: dict[str, Any], more: dict[str, Any], expected: str) -> None:
    assert ask(restricted(**restrictions), **more) == expected


def test_the_first_check_of_the_reference_decides() -> None:
    """Blocked, expired, no credit, place, kind of EVSE, time, in use: each hides those after it."""
    everything = Restrictions(
        max_amount_per_month=Decimal(1),
        charge_points=("CP-2",),
        connector_types=("CHADEMO",),
        hours=(Window(("SUNDAY",)),),
        max_concurrent_sessions=1,
    )
    bad: dict[str, Any] = {"status": "blocked", "ends": NOW - DAY, "restrictions": everything}
    steps: list[tuple[dict[str, Any], str]] = [
        ({}, "Blocked"),
        ({"status": "accepted"}, "Expired"),
        ({"ends": None}, "NoCredit"),
        ({"max_amount_per_month": None}, "NotAtThisLocation"),
        ({"charge_points": ()}, "NotAllowedTypeEVSE"),
        ({"connector_types": ()}, "NotAtThisTime"),
        ({"hours": ()}, "ConcurrentTx"),
        ({"max_concurrent_sessions": 2}, "Accepted"),
    ]
    told = []
    for change, _ in steps:
        for name, value in change.items():
            if name in bad:
                bad[name] = value
            else:
                bad["restrictions"] = Restrictions(
                    **{field: getattr(bad["restrictions"], field) for field in Restrictions.__struct_fields__} | {name: value}
                )
        told.append(ask(token(**bad), usage=used(1, "5"), elsewhere={"t": 1}))
    assert told == [status for _, status in steps]


def test_what_holds_for_a_group_holds_for_all_below_it() -> None:
    top = KnownGroup(UUID(int=2), "Top", "TOP", "staff", restrictions=Restrictions(charge_points=("CP-2",)))
    near = KnownGroup(UUID(int=1), "Near", restrictions=Restrictions(sessions_per_day=5))
    member = KnownToken(1, "T", "ISO14443", "accepted", None, None, None, False, groups=(near, top))
    decision = decide([member], token_type=None, circumstances=at())
    assert (decision.status, decision.group_id_token) == ("NotAtThisLocation", "TOP")
    assert decision.reason == "group Top: not allowed at this charge point"
    assert member.charged_as == "staff"
    assert ask(member, usage=used(5)) == "NoCredit"
    blocked = KnownGroup(UUID(int=3), "Gone", status="blocked", blocked_reason="unpaid")
    decision = decide([token(groups=(near, blocked))], token_type=None, circumstances=at())
    assert (decision.status, decision.reason) == ("Blocked", "group Gone is blocked: unpaid")


def test_a_token_that_stands_for_another_is_no_better_than_it() -> None:
    def standing_for(parent: KnownToken) -> KnownToken:
        return KnownToken(1, "Q", "Central", "accepted", None, NOW + DAY, None, False, single_use=True, parent=parent)

    assert ask(standing_for(token())) == "Accepted"
    assert ask(standing_for(token("blocked"))) == "Blocked"
    assert ask(standing_for(token(retired=True))) == "Blocked"
    assert ask(standing_for(token(ends=NOW))) == "Expired"
    assert ask(standing_for(restricted(charge_points=("CP-2",)))) == "NotAtThisLocation"
    assert ask(standing_for(token()), elsewhere={"q": 0, "t": 1}) == "ConcurrentTx"
    decision = decide([standing_for(token(ends=NOW + DAY / 2, language="fr"))], token_type=None, circumstances=at())
    assert (decision.expires_at, decision.group_id_token, decision.language) == (NOW + DAY / 2, "GROUP", "fr")


def test_a_single_use_token_is_good_for_its_own_session_only() -> None:
    once = token(single_use=True, used_by_session_id=SESSION)
    refused = decide([once], token_type=None, circumstances=at(session_id=OTHER))
    assert (refused.status, refused.reason) == ("Blocked", f"used already by session {SESSION}")
    assert ask(once) == "Blocked"
    assert ask(once, session_id=SESSION) == "Accepted"
    assert ask(once, sessions_here=frozenset({SESSION})) == "Accepted"
    assert ask(token(single_use=True), session_id=OTHER) == "Accepted"


def test_whoever_charges_here_can_end_it() -> None:
    """At the end of a session its place, time and quota no longer matter; that the token is good does."""
    full = restricted(sessions_per_day=1, hours=(Window(("SUNDAY",)),), max_amount_per_month=Decimal(1))
    assert ask(full, usage=used(1, "5")) == "NoCredit"
    assert ask(full, usage=used(1, "5"), sessions_here=frozenset({SESSION})) == "Accepted"
    assert ask(restricted(charge_points=("CP-2",)), going_on=True) == "Accepted"
    assert ask(token("blocked"), going_on=True) == "Blocked"


def test_an_explanation_makes_all_checks() -> None:
    bad = restricted(charge_points=("CP-2",), hours=(Window(("SUNDAY",)),))
    verdict = judge([bad], token_type=None, circumstances=at(), explain=True)
    failed = [check.status for check in verdict.checks if check.status != "Accepted"]
    assert failed == ["NotAtThisLocation", "NotAtThisTime"]
    assert verdict.decision == decide([bad], token_type=None, circumstances=at())


def test_ocpp16_has_a_word_for_every_status() -> None:
    assert STATUS_OF_OCPP16["NoCredit"] == "Blocked"
    assert {STATUS_OF_OCPP16[s] for s in ("NotAllowedTypeEVSE", "NotAtThisLocation", "NotAtThisTime", "Unknown")} == {"Invalid"}
