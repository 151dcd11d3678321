"""Real-time authorization over OCPI, both ways (mod_tokens): what is asked, and what an answer means. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from csms.domain.decisions import AuthorizationStatus
from csms.domain.token_identity import CONTRACT
from csms.roaming.parties import Folded
from schemas.ocpi221.base import fold
from schemas.ocpi221.headers import Party
from schemas.ocpi221.tokens import AllowedType, AuthorizationInfo
from schemas.ocpi221.types import TokenType

MOST_CANDIDATES: Final = 20
"""Parties that are asked about one token at the same time."""

_SAID: Final[dict[AllowedType | str, AuthorizationStatus]] = {
    "ALLOWED": "Accepted",
    "BLOCKED": "Blocked",
    "EXPIRED": "Expired",
    "NO_CREDIT": "NoCredit",
    "NOT_ALLOWED": "NotAtThisLocation",
}
_TOLD: Final[dict[AuthorizationStatus, AllowedType]] = {
    "Accepted": "ALLOWED",
    "Blocked": "BLOCKED",
    "Expired": "EXPIRED",
    "NoCredit": "NO_CREDIT",
}
_ASKED_AS: Final[dict[str | None, TokenType]] = {
    None: "RFID",  # OCPP 1.6 names no types, and cards are most of all
    "ISO14443": "RFID",
    "ISO15693": "RFID",
    CONTRACT: "OTHER",
    "MacAddress": "OTHER",
    "Central": "APP_USER",
}
_CONTRACT: Final = re.compile(r"([A-Z]{2})[-*]?([A-Z0-9]{3})[-*]?[A-Z0-9]{6,}", re.IGNORECASE)
_SEPARATED: Final = re.compile(r"([A-Z]{2})[-*]([A-Z0-9]{3})[-*][A-Z0-9]", re.IGNORECASE)


class Candidate(NamedTuple):
    """A party that may know a token. `when_unknown`: it wants to be asked about tokens whose party nobody knows."""

    party: Party
    when_unknown: bool


def asked_as(token_type: str | None) -> TokenType | None:
    """As which type a token that nobody knows is asked about; None: about these no party is asked (passwords and the like)."""
    return _ASKED_AS.get(token_type)


def party_of_contract(id_token: str, token_type: str | None) -> Folded | None:
    """The eMSP that a contract names (17.4, 3). Without a type only one that is written with separators is taken for a contract."""
    match = (_CONTRACT if token_type == CONTRACT else _SEPARATED).match(id_token)
    return None if match is None else (fold(match[1]), fold(match[2]))


def whom_to_ask(candidates: Sequence[Candidate], contract: Folded | None) -> list[Party]:
    """The parties to ask about a token that nobody knows (17.4, 3, 5 and 7)."""
    named = [one.party for one in candidates if contract is not None and one.party.folded == contract]
    return named[:1] or [one.party for one in candidates if one.when_unknown][:MOST_CANDIDATES]


def status_of(info: AuthorizationInfo, evse_uid: str | None) -> AuthorizationStatus:
    """What an answer means for a station, at the EVSE `evse_uid` if that is known.

    K6: an answer names the EVSEs where charging is allowed. One that names none allows all: many parties leave the location out.
    An answer that we do not know the word of refuses (B10).
    """
    status = _SAID.get(info.allowed, "Invalid")
    named = () if info.location is None else info.location.evse_uids
    elsewhere = evse_uid is not None and bool(named) and fold(evse_uid) not in {fold(uid) for uid in named}
    return "NotAtThisLocation" if status == "Accepted" and elsewhere else status


def allowed_of(status: AuthorizationStatus) -> AllowedType:
    """What a party that asks is told of our own verdict."""
    return _TOLD.get(status, "NOT_ALLOWED")


def is_about(info: AuthorizationInfo, uid: str, party: Folded) -> bool:
    """Whether an answer is about the token that was asked about, and this is a token of the party that was asked (W6)."""
    owner = (fold(info.token.country_code), fold(info.token.party_id))
    return fold(info.token.uid) == fold(uid) and owner == party
