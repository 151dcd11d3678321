"""When two spellings of a token name the same thing."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.domain.token_identity import canonical, contract_key, lookup_key

ALPHANUMERIC = string.ascii_uppercase + string.digits
contracts = st.tuples(
    st.text(string.ascii_uppercase, min_size=2, max_size=2),
    st.text(ALPHANUMERIC, min_size=3, max_size=3),
    st.text(ALPHANUMERIC, min_size=9, max_size=9),
)
cases = st.sampled_from([str.upper, str.lower, str.title])


@given(contracts, st.sampled_from(["", "-", "*"]), st.sampled_from(["", *ALPHANUMERIC]), cases)
def test_a_contract_in_any_spelling(parts: tuple[str, str, str], separator: str, check: str, case: object) -> None:
    written = separator.join([*parts, check] if check else parts)
    text = case(written)  # type: ignore[operator]  # a method of str
    plain = "".join(parts)
    assert canonical(text, "eMAID") == plain
    assert lookup_key(text, "eMAID") == plain.lower()
    if separator:
        assert lookup_key(text, None) == plain.lower()
    elif check:
        assert (lookup_key(text, None), contract_key(text, None)) == (text.lower(), plain.lower())
    assert canonical(text, "ISO14443") == text
    assert canonical(canonical(text, "eMAID"), "eMAID") == plain


@given(st.binary(min_size=6, max_size=6), cases)
def test_a_vehicle_in_any_spelling(address: bytes, case: object) -> None:
    digits = address.hex().upper()
    for separator in ("", ":", "-"):
        spelled = case(address.hex(separator) if separator else address.hex())  # type: ignore[operator]  # a method of str
        assert canonical(spelled, "MacAddress") == f"VID:{digits}"
        assert canonical(f"VID:{spelled}", None) == f"VID:{digits}"
        if separator:
            assert canonical(spelled, None) == f"VID:{digits}"
    # twelve digits alone are no vehicle where no type says so
    assert canonical(digits, None) == digits


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=36))
def test_every_other_token_is_its_own(text: str) -> None:
    for token_type in (None, "ISO14443", "Central", "eMAID", "MacAddress"):
        spelling = canonical(text, token_type)
        assert canonical(spelling, token_type) == spelling
        assert lookup_key(text.swapcase(), token_type) == lookup_key(text, token_type)
    assert canonical(text, "ISO14443") == text


@pytest.mark.parametrize(
    "text",
    [
        "04A1B2C3D4E580",
        "DE8AA1A2B3C4D5",
        "DE-8AA-1A2B3C4D",
        "DE-8AA*1A2B3C4D5",
        "VID:0011223344",
        "00:11:22:33:44",
        "1234567890123456789012",
    ],
)
def test_what_looks_alike_is_left_alone(text: str) -> None:
    assert canonical(text, None) == text
    assert contract_key(text, None) is None
