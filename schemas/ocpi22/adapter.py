"""OCPI 2.2 towards a partner."""

from __future__ import annotations

from typing import Any, Final

from schemas.ocpi221.base import NOT_AVAILABLE, OcpiObject
from schemas.ocpi221.cdrs import CDR, CdrLocation, CdrToken
from schemas.ocpi221.headers import Party
from schemas.ocpi221.sessions import Session
from schemas.ocpi221.versions import VersionNumber
from schemas.ocpi_versions.adapter import member, members, texts
from schemas.ocpi_versions.documents import Rule, Rules, transformed
from schemas.ocpi_versions.losses import Losses
from schemas.ocpi_versions.newer import FIT_22, without_newer
from schemas.ocpi_versions.port import Context, Converted, Document, Needs, owner_in
from schemas.ocpi_versions.v221 import Adapter221

_LONGEST_SIGNED: Final = 512


class Adapter22(Adapter221):
    """As 2.2.1 but for CDRs, sessions and a few values."""

    version: VersionNumber = "2.2"

    def needs_up(self, type_: type[OcpiObject], document: Any, context: Context) -> Needs:
        token = member(document, "cdr_token") if type_ in (Session, CDR) else None
        if isinstance(token, dict) and not token.get("country_code"):
            return Needs(contract_ids=texts(token.get("contract_id")))
        return Needs()

    def up(self, type_: type[OcpiObject], document: Any, context: Context, *, partial: bool = False) -> Converted:
        """A CdrToken has no owner there; a CdrLocation always has a postal code."""
        if type_ not in (Session, CDR):
            return Converted(document)
        losses = Losses()

        def owned(token: Document, losses: Losses) -> Document:
            if token.get("country_code") and token.get("party_id"):
                return token
            contract_id = token.get("contract_id")
            known = context.token_of_contract(contract_id) if isinstance(contract_id, str) else None
            if known is None:
                losses.remark("2.2", "its owner is not told, and taken to be the one who is told of it")
            owner = context.own if known is None else owner_in(known, context.own)
            return {**token, "country_code": owner.country_code, "party_id": owner.party_id}

        rules = Rules(objects={CdrToken: owned, CdrLocation: _without_postal_code})
        return Converted(transformed(type_, document, rules, losses), losses.told())

    def down(self, type_: type[OcpiObject], document: Any, context: Context, *, partial: bool = False) -> Converted:
        rules: dict[type[OcpiObject], Rule] = {
            CDR: _without_long_signatures,
            CdrLocation: _with_postal_code,
            CdrToken: lambda token, losses: _without_owner(token, context.partner, losses),
        }
        return without_newer(type_, document, FIT_22, rules, partial=partial)


def _without_owner(token: Document, receiver: Party, losses: Losses) -> Document:
    """Whose token it is goes without saying for its owner only."""
    if owner_in(token, receiver).folded != receiver.folded:
        losses.remark("2.2", "is not known there, and is not the party that this is sent to", "party_id")
    return {name: value for name, value in token.items() if name not in ("country_code", "party_id")}


def _with_postal_code(location: Document, losses: Losses) -> Document:
    """B8: it is absent only where none exists."""
    if location.get("postal_code") is None:
        losses.remark("2.2", f"is required there, and sent as {NOT_AVAILABLE}", "postal_code")
        return {**location, "postal_code": NOT_AVAILABLE}
    return location


def _without_postal_code(location: Document, losses: Losses) -> Document:
    if location.get("postal_code") == NOT_AVAILABLE:
        return {name: value for name, value in location.items() if name != "postal_code"}
    return location


def _without_long_signatures(cdr: Document, losses: Losses) -> Document:
    """A signature that is cut off proves nothing, and neither does a part of the signed values."""
    values = members(cdr.get("signed_data"), "signed_values")
    if any(len(str(value.get(name, ""))) > _LONGEST_SIGNED for value in values for name in ("plain_data", "signed_data")):
        losses.remark("2.2", f"has values of more than {_LONGEST_SIGNED} characters and is left out", "signed_data")
        return {name: value for name, value in cdr.items() if name != "signed_data"}
    return cdr
