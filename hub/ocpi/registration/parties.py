"""The parties that a partner says it is: read, checked, and held against what we are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final, get_args

from csms.roaming.parties import OPPOSITE, OwnParty, PartnerRole
from csms.roaming.partners import Partner, PartnerEndpoint
from hub.ocpi.message import OcpiProblem
from hub.ocpi.registration.handshake import Failed
from schemas.ocpi221.credentials import Credentials
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES
from schemas.ocpi221.types import Role
from schemas.ocpi221.writing import document

MOST_ROLES: Final = 2_000
"""Of one platform; a hub with a newer version names all parties behind it."""

_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_PARTY: Final = re.compile(r"[!-~]{1,3}")
_ROLES: Final[dict[str, Role]] = {role: role for role in get_args(Role)}


def parties_of(credentials: Credentials, partner: Partner, own: Sequence[OwnParty], now: datetime) -> tuple[PartnerRole, ...]:
    """The parties in a partner's Credentials. A role that we do not know is OTHER. Raises OcpiProblem (2001)."""
    if len(credentials.roles) > MOST_ROLES:
        raise _invalid(f"roles: are more than {MOST_ROLES}")
    found: dict[tuple[str, str, str], PartnerRole] = {}
    ours = {(party.country_code, party.party_id, party.role) for party in own}
    for index, given in enumerate(credentials.roles):
        country_code, party_id = given.country_code.upper(), given.party_id.upper()
        if not _COUNTRY.fullmatch(country_code):
            raise _invalid(f"roles[{index}].country_code: is no country code of two letters")
        if not _PARTY.fullmatch(party_id):
            raise _invalid(f"roles[{index}].party_id: is no party id of at most three characters")
        role = _ROLES.get(given.role, "OTHER")
        key = (country_code, party_id, role)
        if key in ours:
            raise _invalid(f"roles[{index}]: {country_code}-{party_id} as {role} is a party of this platform")
        found[key] = PartnerRole(
            country_code,
            party_id,
            role,
            partner.partner_id,
            None,
            document(given.business_details),
            "CONNECTED",
            now,
        )
    return tuple(found.values())


def check_match(own: Sequence[OwnParty], roles: Sequence[PartnerRole], endpoints: Sequence[PartnerEndpoint]) -> None:
    """Whether the two sides have anything to tell each other. Raises Failed (3003).

    One of its parties must be the counterpart of one of ours, unless a hub is among them. A CPO must have an interface for its
    data (T6); all others may only pull.
    """
    ours = {party.role for party in own}
    theirs = {role.role for role in roles}
    functional = any(endpoint.identifier in FUNCTIONAL_MODULES for endpoint in endpoints)
    if "HUB" not in ours | theirs and not any(role in OPPOSITE[other] for role in ours for other in theirs):
        raise Failed(
            StatusCode.NO_MATCHING_ENDPOINTS,
            f"no matching roles: the platform is {', '.join(sorted(theirs))}, we are {', '.join(sorted(ours))}",
        )
    if theirs & {"CPO", "HUB"} and not functional:
        raise Failed(StatusCode.NO_MATCHING_ENDPOINTS, "it has no endpoint of any module but credentials")


def _invalid(why: str) -> OcpiProblem:
    return OcpiProblem(StatusCode.INVALID_PARAMETERS, why)
