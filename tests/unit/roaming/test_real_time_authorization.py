"""Real-time authorization: what answers mean, whom to ask, and what holds of a token of another party (K4 to K6, M4, 17.4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.domain.authorization import Circumstances, decide
from csms.domain.decisions import AuthorizationStatus
from csms.domain.external import AskingRules, ExternalVerdict, answered_verdict, fallback_verdict
from csms.domain.known_tokens import VOUCHED_FOR, KnownToken
from csms.ledger.weighing import TokenQuestion, Weighing
from csms.roaming.authorization import Candidate, allowed_of, asked_as, is_about, party_of_contract, status_of, whom_to_ask
from csms.tenants import TenantConfig, TenantDirectory
from schemas.ocpi221.headers import Party
from schemas.ocpi221.tokens import AllowedType, AuthorizationInfo, LocationReferences, Token

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
TOKEN = Token(
    country_code="DE",
    party_id="ABC",
    uid="Card",
    type="RFID",
    contract_id="DEABCC1",
    issuer="x",
    valid=True,
    whitelist="NEVER",
    last_updated=NOW,
)
MODES = ("ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER")


def info(allowed: str = "ALLOWED", *uids: str) -> AuthorizationInfo:
    location = LocationReferences(location_id="L", evse_uids=uids) if uids else None
    return AuthorizationInfo(allowed=allowed, token=TOKEN, location=location)


def known(whitelist: str = "NEVER", **members: Any) -> KnownToken:
    plain = KnownToken(1, "CARD", "ISO14443", "accepted", None, None, None, False)
    return msgspec.structs.replace(plain, **{"owner_party_id": "ABC", "ocpi_type": "RFID", "whitelist": whitelist} | members)


def test_what_an_answer_means() -> None:
    assert [status_of(info(word), None) for word in get_args(AllowedType)] == [
        "Accepted", "Blocked", "Expired", "NoCredit", "NotAtThisLocation",
    ]  # fmt: skip
    assert status_of(info("SURE"), None) == "Invalid"
    # K6: charging is allowed at the EVSEs that are named
    assert status_of(info("ALLOWED", "E1", "e2"), "E2") == "Accepted"
    assert status_of(info("ALLOWED", "E1"), "E2") == "NotAtThisLocation"
    assert status_of(info("ALLOWED", "E1"), None) == "Accepted"
    assert status_of(info("BLOCKED", "E1"), "E2") == "Blocked"
    assert {allowed_of(status) for status in get_args(AuthorizationStatus)} == set(get_args(AllowedType))
    assert is_about(info(), "CARD", ("de", "abc"))
    assert not is_about(info(), "CARD2", ("de", "abc"))
    assert not is_about(info(), "CARD", ("de", "xyz"))


@pytest.mark.parametrize(
    ("text", "kind", "party"),
    [
        ("DE-ABC-C12345678", None, ("de", "abc")),
        ("de*abc*c12345678*x", "eMAID", ("de", "abc")),
        ("DEABCC12345678", "eMAID", ("de", "abc")),
        ("DEABCC12345678", None, None),
        ("DEADBEEF", None, None),
        ("04AABBCCDD", "ISO14443", None),
    ],
)
def test_the_party_that_a_contract_names(text: str, kind: str | None, party: tuple[str, str] | None) -> None:
    assert party_of_contract(text, kind) == party


def test_whom_to_ask_about_a_token_that_nobody_knows() -> None:
    first, second, silent = (Party("DE", "ABC"), Party("FR", "XYZ"), Party("BE", "ZZZ"))
    candidates = [Candidate(first, True), Candidate(second, True), Candidate(silent, False)]
    assert whom_to_ask(candidates, None) == [first, second]
    assert whom_to_ask(candidates, ("be", "zzz")) == [silent]  # its party is known after all
    assert whom_to_ask(candidates, ("it", "qqq")) == [first, second]
    assert whom_to_ask([Candidate(silent, False)], None) == []
    assert len(whom_to_ask([Candidate(Party("DE", f"{n:03}"), True) for n in range(50)], None)) == 20
    assert (asked_as(None), asked_as("ISO15693"), asked_as("eMAID"), asked_as("Central")) == ("RFID", "RFID", "OTHER", "APP_USER")
    assert [asked_as(kind) for kind in ("KeyCode", "Local", "NoAuthorization", "whatever")] == [None] * 4


@given(
    st.sampled_from(MODES),
    st.booleans(),
    st.none() | st.integers(0, 60),
    st.sampled_from(["RFID", "APP_USER"]),
    st.booleans(),
    st.booleans(),
)
def test_what_holds_of_another_party_s_token(
    mode: str, valid: bool, minutes: int | None, kind: str, asked: bool, going_on: bool
) -> None:
    vouched_at = None if minutes is None else NOW - timedelta(minutes=minutes)
    token = known(mode, status="accepted" if valid else "blocked", vouched_at=vouched_at, ocpi_type=kind)
    circumstances = Circumstances(now=NOW, accept_unknown=False, asked=asked, going_on=going_on)
    status = decide([token], token_type=None, circumstances=circumstances).status
    vouched = vouched_at is not None and (kind != "RFID" or NOW - vouched_at <= VOUCHED_FOR)
    if not valid:
        assert status == "Blocked"  # K2, K4: in all cases
    elif mode != "NEVER" or asked or going_on or vouched:
        assert status == "Accepted"
    else:
        assert status == "Invalid"
    # K4: ALWAYS is never asked about, ALLOWED as the tenant wants it, the others unless their party has just vouched (M4)
    for asks in ("unknown_tokens", "all_tokens"):
        wanted = not vouched and (mode in ("ALLOWED_OFFLINE", "NEVER") or (mode == "ALLOWED" and asks == "all_tokens"))
        assert token.must_be_asked_about(asks, NOW) is wanted
    assert not msgspec.structs.replace(token, owner_party_id=None).must_be_asked_about("all_tokens", NOW)


class Reads:
    """A tenant's tokens."""

    def __init__(self, *tokens: KnownToken) -> None:
        self._tokens = tokens

    async def load_tokens(self, keys: Any) -> dict[Any, list[KnownToken]]:
        return {key: [token for token in self._tokens if token.key == key[1]] for key in keys}

    async def open_token_sessions(self, keys: Any) -> dict[Any, Any]:
        return {}

    async def token_usage(self, questions: Any) -> dict[Any, Any]:
        return {}

    async def places(self, keys: Any) -> dict[Any, Any]:
        return {}


async def weighed(verdict: ExternalVerdict | None, *tokens: KnownToken, asks: str = "unknown_tokens", via: str = "ocpi") -> str:
    tenants = TenantDirectory(try_out=False)
    rules = AskingRules(asks, 2000, "accept", 0, NOW, via)  # type: ignore[arg-type]  # one of the words
    tenants.replace_all([TenantConfig(1, "t", "refuse", "refuse", False, "UTC", "EUR", 60, external=rules)])
    question = TokenQuestion(1, 5, "card", None, external=verdict)
    weighing = await Weighing.prepare(Reads(*tokens), tenants, NOW, [question])
    return weighing.judge(question).decision.status


async def test_how_answers_go_together_with_what_is_known() -> None:
    own = known(owner_party_id=None, ocpi_type=None)
    allowed, broke = answered_verdict("Accepted", None, None, None), answered_verdict("NoCredit", None, None, None)
    accept, refuse = fallback_verdict("accept", "timed out"), fallback_verdict("refuse", "timed out")
    # an answer decides where its party had to be asked, and nowhere else
    assert [await weighed(allowed, known(mode)) for mode in MODES] == ["Accepted"] * 4
    assert [await weighed(broke, known(mode)) for mode in MODES] == ["Accepted", "Accepted", "NoCredit", "NoCredit"]
    assert await weighed(broke, known("ALLOWED"), asks="all_tokens") == "NoCredit"
    assert await weighed(broke, own, asks="all_tokens") == "Accepted"
    assert (await weighed(allowed), await weighed(broke)) == ("Accepted", "NoCredit")
    assert await weighed(allowed, known(status="blocked")) == "Blocked"
    # without one the list counts (K4); the tenant's fallback is for what nobody knows
    for fallback, unknown in ((accept, "Accepted"), (refuse, "Unknown")):
        assert [await weighed(fallback, known(mode)) for mode in MODES] == ["Accepted", "Accepted", "Accepted", "Invalid"]
        assert await weighed(fallback) in (unknown, "Invalid")
        assert await weighed(fallback, own) == "Accepted"
    # a server of the tenant's own has no word for other parties' tokens that want to be asked about
    assert await weighed(allowed, known("NEVER"), asks="all_tokens", via="http") == "Invalid"
    assert await weighed(broke, known("ALWAYS"), asks="all_tokens", via="http") == "NoCredit"
    assert await weighed(None, known("NEVER")) == "Invalid"
