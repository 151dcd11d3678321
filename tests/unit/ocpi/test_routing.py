"""What a message at the hub is, and whom a broadcast reaches (OCPI 2.2.1; the rules by the ids of our digest)."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.roaming.parties import OPPOSITE, SERVING
from csms.roaming.routing import (
    BROADCAST_MODULES,
    OBJECT_MODULES,
    Member,
    Misuse,
    RoutedMessage,
    Status,
    broadcast_targets,
    classify,
    listed_owners,
    owner_and_party,
    signature,
)
from schemas.ocpi221.headers import Party
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES, OPERATIONS, Method
from schemas.ocpi221.types import Role
from schemas.ocpi221.versions import InterfaceRole

HUB, CPO, EMSP = ("nl", "hub"), ("nl", "xcp"), ("de", "abc")
PARTIES = (CPO, EMSP, ("fr", "xyz"), ("be", "mul"))

segment = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=4)
messages = st.builds(
    RoutedMessage,
    method=st.sampled_from(get_args(Method)),
    module=st.sampled_from(sorted(FUNCTIONAL_MODULES)),
    role=st.sampled_from(get_args(InterfaceRole)),
    segments=st.lists(segment, max_size=5).map(tuple),
    parameters=st.dictionaries(segment, segment, max_size=2),
    body=st.none() | st.dictionaries(segment, segment | st.integers(), max_size=3),
)
members = st.lists(
    st.builds(
        Member,
        party=st.sampled_from(PARTIES),
        role=st.sampled_from(get_args(Role)),
        status=st.sampled_from(get_args(Status)),
        implements=st.booleans(),
    ),
    max_size=12,
)


def message(method: Method, module: str, role: InterfaceRole, *segments: str, body: Any = None) -> RoutedMessage:
    return RoutedMessage(method=method, module=module, role=role, segments=segments, body=body)


@given(messages)
def test_whoever_is_named_gets_the_message(one: RoutedMessage) -> None:
    """7.1: a party other than the hub, whatever the method and the interface."""
    assert classify(one, CPO, HUB) == "direct"


@given(messages)
def test_only_writes_of_what_is_for_everybody_are_broadcast(one: RoutedMessage) -> None:
    """R6, R8, R15: TO = HUB is a broadcast, a list, one location, or misuse; never a guess."""
    try:
        scenario = classify(one, HUB, HUB)
    except Misuse:
        assert not one.is_list
        assert one.module not in BROADCAST_MODULES or one.method == "GET" or one.role == "SENDER" or one.method == "DELETE"
        return
    if scenario == "broadcast":
        assert one.role == "RECEIVER"
        assert one.module in BROADCAST_MODULES
        assert one.method in ("POST", "PUT", "PATCH") or (one.method, one.module) == ("DELETE", "tariffs")
    elif scenario == "all":
        assert (one.method, one.role, one.segments) == ("GET", "SENDER", ())
    else:
        assert scenario == "single"
        assert (one.method, one.module, one.role) == ("GET", "locations", "SENDER")


@given(messages)
def test_without_receiver_a_list_is_of_all_and_the_rest_open(one: RoutedMessage) -> None:
    """R12, 17.5."""
    assert classify(one, None, HUB) == ("all" if one.is_list else "open")


def test_misuse_of_the_hub_is_named() -> None:
    """R8, R15."""
    for module in ("sessions", "cdrs", "commands", "chargingprofiles"):
        with pytest.raises(Misuse, match="R8"):
            classify(message("POST", module, "RECEIVER", "X"), HUB, HUB)
    for one in (
        message("GET", "locations", "RECEIVER", "NL", "XCP", "1"),
        message("POST", "tokens", "SENDER", "T1", "authorize"),
        message("PUT", "sessions", "SENDER", "S1", "charging_preferences"),
    ):
        with pytest.raises(Misuse, match="R15"):
            classify(one, HUB, HUB)
    with pytest.raises(Misuse, match="V5"):
        classify(message("GET", "nltnm-tokens", "SENDER"), None, HUB)


def test_every_list_of_the_endpoint_table_is_a_list() -> None:
    """R13: and nothing else is."""
    for operation in OPERATIONS:
        if operation.role is None or operation.module not in OBJECT_MODULES:
            continue
        for path in operation.paths:
            segments = tuple(part for part in path.split("/") if part)
            one = message(operation.method, operation.module, operation.role, *segments)
            assert one.is_list == operation.paged


@pytest.mark.parametrize(
    ("module", "role", "owner"),
    [
        ("locations", "SENDER", "receiver"),
        ("locations", "RECEIVER", "sender"),
        ("sessions", "SENDER", "receiver"),
        ("tokens", "SENDER", "receiver"),
        ("cdrs", "RECEIVER", "sender"),
        ("commands", "RECEIVER", "receiver"),
        ("commands", "SENDER", "sender"),
        ("chargingprofiles", "RECEIVER", "receiver"),
        ("chargingprofiles", "SENDER", "sender"),
    ],
)
def test_agreements_are_about_the_owner_of_data_or_stations(module: str, role: InterfaceRole, owner: str) -> None:
    """R14."""
    found = owner_and_party(module, role, ("s", "s"), ("r", "r"))
    assert found == ((("r", "r"), ("s", "s")) if owner == "receiver" else (("s", "s"), ("r", "r")))


@given(members, st.sampled_from(sorted(BROADCAST_MODULES)), st.sampled_from(PARTIES), st.sets(st.sampled_from(get_args(Role))))
def test_broadcasts_reach_the_opposite_roles_alone(all_: list[Member], module: str, sender: Any, roles: set[Role]) -> None:
    """R7, I4: never the sender, never who is not there or does not implement the module."""
    owning = [role for role in roles if role in SERVING[module, "SENDER"]]
    if not owning:
        with pytest.raises(Misuse, match="R7"):
            broadcast_targets(module, sender, roles, all_)
        return
    found = broadcast_targets(module, sender, roles, all_)
    assert len(found) == len(set(found))
    assert sender not in found
    entitled = {
        one.party
        for one in all_
        if one.implements and one.status in ("CONNECTED", "OFFLINE") and any(one.role in OPPOSITE[role] for role in owning)
    }
    assert set(found) == entitled - {sender}


def test_who_is_told_by_whom() -> None:
    """R7, to the letter."""
    everybody = [Member(("xx", role.lower()), role, "CONNECTED", True) for role in get_args(Role)]

    def told(module: str, *roles: Role) -> set[str]:
        return {party[1] for party in broadcast_targets(module, ("nl", "me"), roles, everybody)}

    assert told("locations", "CPO") == {"emsp", "nsp", "other", "nap", "scsp"}
    assert told("tariffs", "CPO") == {"emsp", "nsp", "other", "nap", "scsp"}
    assert told("tokens", "EMSP") == {"cpo"}
    assert told("tokens", "OTHER") == {"cpo"}


@given(members, st.sampled_from(sorted(BROADCAST_MODULES)), st.sampled_from(PARTIES), st.sets(st.sampled_from(get_args(Role))))
def test_lists_show_the_opposite_roles_and_ones_own(all_: list[Member], module: str, party: Any, roles: set[Role]) -> None:
    """R13, 17.2: whoever is told of broadcasts finds them in the list too."""
    owners = listed_owners(module, party, roles, all_)
    assert party in owners
    for one in all_:
        told = one.role in SERVING[module, "SENDER"] and one.status in ("CONNECTED", "OFFLINE") and OPPOSITE[one.role] & roles
        assert one.party in owners or not told


def test_the_owner_of_a_path_or_of_a_cdr() -> None:
    """W5, W6."""
    assert message("PUT", "locations", "RECEIVER", "NL", "XCP", "1").owner == Party("NL", "XCP")
    assert message("POST", "cdrs", "RECEIVER", body={"country_code": "NL", "party_id": "XCP"}).owner == Party("NL", "XCP")
    assert message("GET", "cdrs", "RECEIVER", "kept", "1").owner is None
    assert message("POST", "commands", "RECEIVER", "START_SESSION").owner is None
    assert message("GET", "locations", "SENDER", "NL", "XCP").owner is None


@given(messages, st.text(max_size=10), st.sampled_from(PARTIES), st.none() | st.sampled_from(PARTIES))
def test_a_message_that_comes_back_has_the_same_signature(one: RoutedMessage, correlation: str, sender: Any, to: Any) -> None:
    """R16, 17.1: another hub has put a URL of its own in place of ours; all else makes another message."""
    there = signature(one, correlation, sender, to)
    body = {**one.body, "response_url": "https://a.example/1"} if isinstance(one.body, dict) else one.body
    other = {**one.body, "response_url": "https://b.example/2"} if isinstance(one.body, dict) else one.body

    def changed(**changes: Any) -> RoutedMessage:
        fields: dict[str, Any] = {
            name: getattr(one, name) for name in ("method", "module", "role", "segments", "parameters", "body")
        }
        return RoutedMessage(**(fields | changes))

    assert signature(changed(body=body), correlation, sender, to) == signature(changed(body=other), correlation, sender, to)
    asked = {**one.parameters, "response_url": "x"}
    assert signature(changed(parameters=asked), correlation, sender, to) == there
    assert signature(one, correlation + "x", sender, to) != there
    assert signature(one, correlation, HUB, to) != there
    assert signature(one, correlation, sender, HUB) != there
    assert signature(changed(segments=(*one.segments, "more")), correlation, sender, to) != there
    assert signature(changed(body={"another": "body"}), correlation, sender, to) != there or one.body == {"another": "body"}
