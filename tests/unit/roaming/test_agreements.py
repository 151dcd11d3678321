"""Who may have what (R14)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.roaming.agreements import Agreement, Agreements, Receivers

P, Q, O, R = ("nl", "emp"), ("nl", "oth"), ("de", "abc"), ("de", "xyz")  # noqa: E741 - parties and owners


def agreement(**values: Any) -> Agreement:
    for name in ("modules", "location_ids", "countries"):
        if name in values:
            values[name] = frozenset(values[name])
    return Agreement(**values)


@pytest.mark.parametrize(
    ("agreements", "visibility", "expected"),
    [
        ([], "everyone", True),
        ([], "listed", False),
        ([agreement(party=P)], "listed", True),
        ([agreement(party=Q)], "listed", False),
        ([agreement(allowed=False)], "everyone", False),
        ([agreement(allowed=False), agreement(party=P)], "everyone", True),
        ([agreement(party=P), agreement(party=P, owner=O, allowed=False)], "everyone", False),
        ([agreement(party=P, allowed=False), agreement(owner=O)], "everyone", False),
        ([agreement(party=P, owner=O), agreement(party=P, owner=O, modules=["locations"], allowed=False)], "listed", False),
        ([agreement(party=P, modules=["tariffs"])], "listed", False),
        ([agreement(party=P, location_ids=["a"])], "everyone", True),
        ([agreement(party=P, location_ids=["b"])], "everyone", False),
        ([agreement(party=P, location_ids=["b"]), agreement(party=P, countries=["DE"])], "listed", True),
        ([agreement(party=P, countries=["nl", "de"])], "listed", True),
        ([agreement(party=P, countries=["NLD"])], "everyone", False),
        ([agreement(party=P, location_ids=["a"], countries=["FR"])], "everyone", False),
        ([agreement(party=P, location_ids=["a"], allowed=False)], "everyone", False),
        ([agreement(party=P, location_ids=["b"], allowed=False)], "everyone", True),
        ([agreement(party=P, location_ids=["b"], allowed=False)], "listed", False),
        ([agreement(party=P, location_ids=["b"], allowed=False), agreement(allowed=True)], "listed", True),
        ([agreement(party=P), agreement(party=P, location_ids=["a"], allowed=False)], "everyone", False),
    ],
)
def test_the_most_specific_agreement_counts(agreements: list[Agreement], visibility: Any, expected: bool) -> None:
    """May P have location `a` in Germany of O?"""
    assert Agreements(agreements, visibility).allows(P, O, "locations", "a", "DEU") is expected


def test_places_do_not_matter_to_what_has_none() -> None:
    limited = Agreements([agreement(party=P, location_ids=["a"])], "listed")
    refused = Agreements([agreement(party=P, location_ids=["a"], allowed=False)], "everyone")
    for module in ("tariffs", "sessions", "cdrs", "tokens"):
        assert limited.allows(P, O, module)
        assert refused.allows(P, O, module)
        assert not limited.allows(Q, O, module)


_parties = st.sampled_from([P, Q])
_owners = st.sampled_from([O, R])
_agreements = st.lists(
    st.builds(
        Agreement,
        owner=st.none() | _owners,
        party=st.none() | _parties,
        allowed=st.booleans(),
        modules=st.none() | st.just(frozenset({"locations"})) | st.just(frozenset({"tariffs"})),
        location_ids=st.none() | st.frozensets(st.sampled_from("abc"), min_size=1),
        countries=st.none() | st.frozensets(st.sampled_from(["DEU", "NLD"]), min_size=1),
    ),
    max_size=6,
)


@given(_agreements, st.sampled_from(["everyone", "listed"]), st.sampled_from(["locations", "tariffs"]))
def test_all_ways_of_asking_agree(agreements: list[Agreement], visibility: Any, module: str) -> None:
    """One object, a list of a party, the receivers of an object; and the order of the agreements is of no matter."""
    asked, turned = Agreements(agreements, visibility), Agreements(agreements[::-1], visibility)
    for owner in (O, R):
        receivers = Receivers({party: asked.scope(party, owner, module) for party in (P, Q)})
        for location_id in "abc":
            for country in ("DEU", "NLD"):
                told = receivers.of(location_id, country)
                assert receivers.of(location_id, country) == told
                for party in (P, Q):
                    allowed = asked.allows(party, owner, module, location_id, country)
                    assert turned.allows(party, owner, module, location_id, country) is allowed
                    assert (party in told) is allowed
                    visible = asked.visible(party, module)
                    scope = visible.by_owner.get(owner, visible.others)
                    assert scope.allows(location_id, country) is allowed


def test_who_has_anything_to_do_with_whom() -> None:
    """I4: either way counts, and one module is enough."""
    none = Agreements([], "listed")
    assert not none.relations(P).has(O)
    assert Agreements([], "everyone").relations(P).has(O)
    one = Agreements([agreement(party=P, owner=O, modules=["tariffs"])], "listed")
    assert one.relations(P).has(O)
    assert one.relations(O).has(P)
    assert not one.relations(P).has(R)
    assert not one.relations(Q).has(O)
    half = Agreements([agreement(party=P, owner=O, allowed=False)], "everyone")
    assert half.relations(P).has(O)  # the other way is open
    apart = Agreements([agreement(party=P, owner=O, allowed=False), agreement(party=O, owner=P, allowed=False)], "everyone")
    assert not apart.relations(P).has(O)
    assert not apart.relations(O).has(P)
    assert apart.relations(P).has(R)
    outcast = Agreements([agreement(party=P, allowed=False), agreement(owner=P, allowed=False)], "everyone")
    assert [outcast.relations(party).has(other) for party, other in ((P, O), (O, P), (O, Q))] == [False, False, True]


_PLACES = st.lists(
    st.builds(
        lambda party, owner, allowed, location_ids, countries: Agreement(
            party=party, owner=owner, allowed=allowed, location_ids=location_ids, countries=countries
        ),
        st.sampled_from([None, P, Q]),
        st.sampled_from([None, O, R]),
        st.booleans(),
        st.sampled_from([None, frozenset("a"), frozenset("ab")]),
        st.sampled_from([None, frozenset({"DEU"}), frozenset({"NLD", "DEU"})]),
    ),
    max_size=5,
)


@given(_PLACES, st.sampled_from(["everyone", "listed"]))
def test_what_is_decided_without_the_country_holds_in_every_country(agreements: list[Agreement], visibility: Any) -> None:
    scope = Agreements(agreements, visibility).scope(P, O, "locations")
    for location_id in "abc":
        answers = {scope.allows(location_id, country) for country in ("DEU", "NLD", "BEL")}
        decided = scope.decided(location_id)
        assert decided is None or answers == {decided}
        assert scope.placed or (answers == {decided} and not scope.of_countries)
