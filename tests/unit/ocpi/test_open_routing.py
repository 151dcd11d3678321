"""Finding the receiver of a message that names none (R11, 17.4; the steps by their numbers there)."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.roaming.parties import Folded
from csms.roaming.routing import RoutedMessage, Status
from csms.roaming.routing_open import Clues, LookUp, To, clues_of, resolve
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES, Method
from schemas.ocpi221.versions import InterfaceRole
from tests.unit.ocpi.test_routing import CPO, EMSP, message, messages

OTHER: Folded = ("fr", "xyz")
TWO: dict[Folded, Status] = {CPO: "CONNECTED", OTHER: "CONNECTED"}
LOCATION = {"country_code": "NL", "party_id": "XCP", "id": "1"}
TOKEN = {"country_code": "DE", "party_id": "ABC", "uid": "1"}

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["country_code", "party_id", "cdr_token", "location_id", "session_id", "evse_uid", "contract_id"]),
            inner,
        )
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(get_args(Method)),
    st.sampled_from(sorted(FUNCTIONAL_MODULES)),
    st.sampled_from(get_args(InterfaceRole)),
    st.lists(st.text(max_size=300), max_size=5),
    anything,
)
def test_no_message_is_too_odd(method: Method, module: str, role: InterfaceRole, segments: list[str], body: Any) -> None:
    """Whatever a partner sends, there are clues that the database can be asked for, or none."""
    one = RoutedMessage(method=method, module=module, role=role, segments=tuple(segments), body=body)
    clues = clues_of(one, [CPO])
    assert clues.named != CPO
    for look_up in clues.look_ups:
        assert look_up.id.isprintable()
    resolve(one, clues, {}, TWO)


@given(messages, st.dictionaries(st.sampled_from([CPO, EMSP, OTHER]), st.sampled_from(get_args(Status))))
def test_only_who_serves_the_interface_is_found(one: RoutedMessage, serving: dict[Folded, Status]) -> None:
    clues = Clues(named=EMSP, look_ups=(LookUp("session", "s"),), prefixes=(CPO, OTHER))
    for clue in (clues, Clues(look_ups=clues.look_ups, prefixes=clues.prefixes), Clues()):
        decided = resolve(one, clue, {clues.look_ups[0]: [CPO, OTHER]}, serving)
        if isinstance(decided, To):
            assert decided.party in serving
        elif decided == "broadcast":
            assert one.may_be_broadcast
        elif decided == "ask":
            assert one.is_authorize


def test_step_1_the_party_in_path_or_body() -> None:
    """A party that the sender does not speak for is meant; its own is not."""
    asked = message("GET", "locations", "RECEIVER", "NL", "XCP", "1")
    assert clues_of(asked, [EMSP]).named == CPO
    assert clues_of(asked, [CPO]).named is None
    assert resolve(asked, clues_of(asked, [EMSP]), {}, TWO) == To(CPO)
    assert resolve(asked, clues_of(asked, [EMSP]), {}, {OTHER: "CONNECTED"}) == "unknown"


def test_step_1_a_pull_of_ones_own_copy_needs_a_single_opposite_party() -> None:
    asked = message("GET", "locations", "RECEIVER", "NL", "XCP", "1")
    clues = clues_of(asked, [CPO])
    assert resolve(asked, clues, {}, {EMSP: "CONNECTED", OTHER: "CONNECTED"}) == "unknown"
    assert resolve(asked, clues, {}, {EMSP: "CONNECTED", OTHER: "SUSPENDED"}) == To(EMSP)


@pytest.mark.parametrize(
    ("asked", "look_up"),
    [
        (message("POST", "commands", "RECEIVER", "STOP_SESSION", body={"session_id": "S-1"}), LookUp("session", "s-1")),
        (
            message("POST", "commands", "RECEIVER", "CANCEL_RESERVATION", body={"reservation_id": "R-1"}),
            LookUp("reservation", "r-1"),
        ),
        (message("POST", "commands", "RECEIVER", "START_SESSION", body={"location_id": "L-1"}), LookUp("location", "l-1")),
        (message("GET", "chargingprofiles", "RECEIVER", "S-1"), LookUp("session", "s-1")),
        (message("PUT", "chargingprofiles", "SENDER", "S-1"), LookUp("session", "s-1", side="other")),
        (message("PUT", "sessions", "SENDER", "S-1", "charging_preferences"), LookUp("session", "s-1")),
        (message("PATCH", "sessions", "RECEIVER", "NL", "XCP", "S-1", body={}), LookUp("session", "s-1", side="other")),
        (message("GET", "locations", "SENDER", "L-1"), LookUp("location", "l-1")),
        (message("POST", "tokens", "SENDER", "T-1", "authorize"), LookUp("token", "t-1", "RFID")),
    ],
)
def test_steps_2_to_4_what_the_hub_knows(asked: RoutedMessage, look_up: LookUp) -> None:
    clues = clues_of(asked, [EMSP if asked.role != "RECEIVER" or asked.module != "sessions" else CPO])
    assert look_up in clues.look_ups
    assert resolve(asked, clues, {look_up: [OTHER]}, TWO) == To(OTHER)
    # two parties with the same id: it tells nothing
    assert not isinstance(resolve(asked, clues, {look_up: [CPO, OTHER]}, TWO), To)
    # but if one of them alone serves the interface, it does
    assert resolve(asked, clues, {look_up: [EMSP, OTHER]}, TWO) == To(OTHER)


def test_step_3_prefixes_of_tokens_and_evses() -> None:
    start = message("POST", "commands", "RECEIVER", "START_SESSION", body={"location_id": "?", "evse_uid": "NL*XCP*E1"})
    assert resolve(start, clues_of(start, [EMSP]), {}, TWO) == To(CPO)
    compact = message("POST", "commands", "RECEIVER", "START_SESSION", body={"location_id": "?", "evse_uid": "FRXYZE1"})
    assert resolve(compact, clues_of(compact, [EMSP]), {}, TWO) == To(OTHER)
    serving: dict[Folded, Status] = {EMSP: "CONNECTED", OTHER: "CONNECTED"}
    for uid in ("DE-ABC-C12345678-9", "DE*ABC*123456"):
        asked = message("POST", "tokens", "SENDER", uid, "authorize")
        assert resolve(asked, clues_of(asked, [CPO]), {}, serving) == To(EMSP)
    card = message("POST", "tokens", "SENDER", "DEABCC12345678", "authorize")  # hexadecimal digits of a card
    assert resolve(card, clues_of(card, [CPO]), {}, serving) == "ask"


def test_step_5_a_single_party_even_if_it_is_away() -> None:
    start = message("POST", "commands", "RECEIVER", "START_SESSION", body={"location_id": "?"})
    assert resolve(start, clues_of(start, [EMSP]), {}, {CPO: "OFFLINE", OTHER: "PLANNED"}) == To(CPO)
    assert resolve(start, clues_of(start, [EMSP]), {}, {CPO: "OFFLINE", OTHER: "CONNECTED"}) == "unknown"


def test_step_6_pushes_without_receiver() -> None:
    push = message("PUT", "locations", "RECEIVER", "NL", "XCP", "1", body=LOCATION)
    serving: dict[Folded, Status] = {EMSP: "CONNECTED", OTHER: "CONNECTED"}
    assert resolve(push, clues_of(push, [CPO]), {}, serving) == "broadcast"
    assert resolve(push, clues_of(push, [CPO]), {}, {}) == "broadcast"
    for one in (
        message("POST", "cdrs", "RECEIVER", body={**LOCATION, "cdr_token": TOKEN}),
        message("PUT", "sessions", "RECEIVER", "NL", "XCP", "1", body={**LOCATION, "cdr_token": TOKEN}),
    ):
        assert resolve(one, clues_of(one, [CPO]), {}, serving) == To(EMSP)
        # what is somebody's is never given to the only other one
        assert resolve(one, clues_of(one, [CPO]), {}, {OTHER: "CONNECTED"}) == "unknown"
    contract = message("POST", "cdrs", "RECEIVER", body={**LOCATION, "cdr_token": {"contract_id": "DE-ABC-C1"}})
    assert resolve(contract, clues_of(contract, [CPO]), {}, serving) == To(EMSP)


def test_step_7_nothing_tells() -> None:
    start = message("POST", "commands", "RECEIVER", "START_SESSION", body={})
    assert resolve(start, clues_of(start, [EMSP]), {}, TWO) == "unknown"
    asked = message("POST", "tokens", "SENDER", "T-1", "authorize")
    assert resolve(asked, clues_of(asked, [CPO]), {}, {EMSP: "CONNECTED", OTHER: "OFFLINE"}) == "ask"
    assert resolve(asked, clues_of(asked, [CPO]), {}, {EMSP: "PLANNED"}) == "unknown"
