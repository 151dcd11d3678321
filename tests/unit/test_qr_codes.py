"""Codes of dynamic QR tokens."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.clock import SystemClock, SystemIds
from csms.qr_tokens import LENGTH, QrCodes, random_code

KEY = bytes(range(32))
CODES = QrCodes(KEY)
IDS = SystemIds(SystemClock())
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)

tenants = st.integers(1, 2**31 - 1)
ends = st.integers(1, 86_400).map(lambda seconds: NOW + timedelta(seconds=seconds))


@given(tenants, ends)
def test_a_code_is_genuine_until_it_ends_in_any_case(tenant: int, end: datetime) -> None:
    code = CODES.issue(tenant, end, IDS)
    assert len(code) == LENGTH
    assert code.isascii()
    for spelling in (code, code.lower(), code.swapcase()):
        assert CODES.verify(spelling, tenant, NOW) == "genuine"
        assert CODES.verify(spelling, tenant, end - timedelta(microseconds=1)) == "genuine"
        assert CODES.verify(spelling, tenant, end) == "expired"


@given(tenants, ends, st.integers(0, LENGTH - 1), st.sampled_from(string.printable + "ſıéＱ"))
def test_no_character_can_be_changed(tenant: int, end: datetime, place: int, character: str) -> None:
    code = CODES.issue(tenant, end, IDS)
    altered = code[:place] + character + code[place + 1 :]
    if altered.lower() != code.lower():
        # what does not begin as ours does is looked up like any other token
        assert CODES.verify(altered, tenant, NOW) == (None if place < 2 else "forged")


def test_every_single_change_of_one_code_is_refused() -> None:
    code = CODES.issue(7, NOW + timedelta(minutes=5), IDS)
    for place in range(LENGTH):
        for character in string.ascii_letters + string.digits:
            if character.upper() != code[place]:
                assert CODES.verify(code[:place] + character + code[place + 1 :], 7, NOW) in (None, "forged")


@given(tenants, tenants, ends)
def test_another_tenant_s_and_another_installation_s_codes_are_forged(mine: int, theirs: int, end: datetime) -> None:
    code = CODES.issue(theirs, end, IDS)
    assert CODES.verify(code, mine, NOW) == ("genuine" if mine == theirs else "forged")
    assert QrCodes(bytes(32)).verify(code, theirs, NOW) == "forged"


@given(st.text(max_size=30))
def test_other_tokens_are_left_to_the_database(text: str) -> None:
    found = CODES.verify(text, 1, NOW)
    assert found == ("forged" if len(text) == LENGTH and text.upper().startswith("QR") else None)


def test_a_code_that_cannot_say_its_end_is_not_made() -> None:
    for end in (datetime(2025, 12, 31, tzinfo=UTC), datetime(2060, 3, 1, tzinfo=UTC), NOW + timedelta(microseconds=1)):
        with pytest.raises(ValueError, match="no code can end"):
            CODES.issue(1, end, IDS)


def test_codes_and_random_tokens_differ() -> None:
    assert len({CODES.issue(1, NOW, IDS) for _ in range(200)}) > 195
    made = {random_code("PAY", IDS) for _ in range(200)}
    assert len(made) == 200
    assert {len(code) for code in made} == {LENGTH}
