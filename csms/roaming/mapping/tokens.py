"""Tokens of our own (OCPI mod_tokens), and those of others as they stand in sessions and CDRs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from csms.roaming.mapping.findings import Finding, Mapped, of_remarks
from csms.roaming.sources import ForeignToken, TokenSource
from schemas.ocpi221.base import fold
from schemas.ocpi221.cdrs import CdrToken
from schemas.ocpi221.headers import Party
from schemas.ocpi221.tokens import Token
from schemas.ocpi221.types import TokenType
from schemas.ocpi221.writing import check

MODULE: Final = "tokens"
_CARDS: Final = frozenset({"ISO14443", "ISO15693"})
_APPS: Final = frozenset({"app", "nfc_phone", "api_key"})


def token_type(ocpi_type: str | None, type_: str, kind: str | None) -> TokenType:
    """OCPI's type: as a partner named it, else what the type of OCPP 2.x and our own kind tell. OCPI 2.2.1 has no EMAID."""
    match ocpi_type:
        case "AD_HOC_USER" | "APP_USER" | "OTHER" | "RFID":
            return ocpi_type
        case "EMAID":
            return "OTHER"
    if type_ in _CARDS:
        return "RFID"
    return "APP_USER" if kind in _APPS else "OTHER"


def map_token(source: TokenSource, owner: Party, business_name: str, now: datetime) -> Mapped[Token]:
    """A token with last_updated `now`; checked. Without a contract its uid stands for it, without an issuer the party's name."""
    token = Token(
        country_code=owner.country_code,
        party_id=owner.party_id,
        uid=source.id_token,
        type=token_type(source.ocpi_type, source.type, source.kind),
        contract_id=source.contract_id or source.id_token,
        visual_number=source.visual_id,
        issuer=source.issuer or business_name,
        group_id=source.group,
        valid=source.valid_at(now),
        whitelist=source.whitelist,
        language=source.language,
        last_updated=now,
    )
    findings = of_remarks(MODULE, source.id_token, check(token))
    if findings:
        return Mapped(None, tuple(findings))
    if source.contract_id is None:
        reason = "is not entered: the token itself is told as its contract"
        return Mapped(token, (Finding(MODULE, source.id_token, "contract_id", reason, "assumed"),))
    return Mapped(token, ())


def owner_of_token(source: TokenSource, parties: Sequence[Party]) -> Party:
    """Which of the tenant's eMSP parties a token is told by: the one that its contract begins with, else the first."""
    contract = fold(source.contract_id or "").replace("-", "").replace("*", "")
    return next((party for party in parties if contract.startswith("".join(party.folded))), parties[0])


def cdr_token(source: ForeignToken) -> CdrToken:
    """What of another party's token goes into its sessions and CDRs."""
    return CdrToken(
        country_code=source.country_code,
        party_id=source.party_id,
        uid=source.id_token,
        type=token_type(source.ocpi_type, source.type, source.kind),
        contract_id=source.contract_id or source.id_token,
    )
