"""How the CDRs of a statement become records of an invoice."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from csms.roaming.invoices import shared_out
from csms.roaming.parties import OwnParty
from csms.store.queries.ocpi_invoices import StatedCdr

PARTIES = [
    OwnParty(1, "own", "NL", party_id, "CPO", {"name": "Own"}, True, datetime(2026, 1, 1, tzinfo=UTC))
    for party_id in ("ONE", "TWO")
]
OWNERS = st.sampled_from([None, ("nl", "one"), ("nl", "two"), ("nl", "old")])


@given(owners=st.lists(OWNERS, max_size=40), most=st.integers(1, 10))
def test_each_cdr_is_in_one_record_of_who_told_it(owners: list[tuple[str, str] | None], most: int) -> None:
    stated = [StatedCdr(f"C{number}", owner) for number, owner in enumerate(owners)]
    records = shared_out(stated, PARTIES, most)
    assert all(1 <= len(cdr_ids) <= most for _, cdr_ids in records)
    for party in PARTIES:
        folded = party.party.folded
        named = [cdr_id for owner, cdr_ids in records if owner is party for cdr_id in cdr_ids]
        told = [cdr.cdr_id for cdr in stated if cdr.owner == folded or (party is PARTIES[0] and cdr.owner in (None, ("nl", "old")))]
        assert named == told
