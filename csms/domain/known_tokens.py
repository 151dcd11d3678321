"""What a tenant knows of an id token and of the groups above it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from csms.domain.restrictions import Restrictions
from csms.domain.token_identity import lookup_key

VOUCHED_FOR: Final = timedelta(minutes=15)
"""M4: for so long after a command its party is not asked about a card."""
VOUCHED_BY_NAME: Final = timedelta(days=1)
"""The same for what is no card, and which nobody but its party can have told the station."""


class KnownGroup(msgspec.Struct, frozen=True):
    """A company, fleet or family that a token belongs to, or one above it."""

    group_id: UUID
    name: str
    group_id_token: str | None = None
    user_type: str | None = None
    status: str = "accepted"
    blocked_reason: str | None = None
    restrictions: Restrictions | None = None


class KnownToken(msgspec.Struct, frozen=True):
    """`group_id_token` is the token's own; `groups` are nearest first; `parent` is the token that this one stands for.

    `owner_party_id`: set for a token of another party; `ocpi_type`: what OCPI calls it; `vouched_at`: when its party last ordered
    something for it (ocpi_authorizations).
    """

    tenant_id: int
    id_token: str
    type: str
    status: str
    valid_from: datetime | None
    valid_until: datetime | None
    group_id_token: str | None
    retired: bool
    token_id: UUID | None = None
    kind: str | None = None
    contract_id: str | None = None
    issuer: str | None = None
    language: str | None = None
    whitelist: str = "ALLOWED"
    user_type: str | None = None
    blocked_reason: str | None = None
    single_use: bool = False
    used_by_session_id: UUID | None = None
    owner_country_code: str | None = None
    owner_party_id: str | None = None
    ocpi_type: str | None = None
    vouched_at: datetime | None = None
    restrictions: Restrictions | None = None
    groups: tuple[KnownGroup, ...] = ()
    parent: KnownToken | None = None

    @property
    def owner(self) -> tuple[str, str] | None:
        """The party whose token it is, in capitals; None: the tenant's own."""
        return (
            None
            if self.owner_country_code is None or self.owner_party_id is None
            else (self.owner_country_code, self.owner_party_id)
        )

    @property
    def foreign(self) -> bool:
        """Is it another party's?"""
        return self.owner_party_id is not None

    def is_vouched_for(self, now: datetime) -> bool:
        """M4: a party that has ordered something for its token answers for it for a while."""
        if self.vouched_at is None:
            return False
        return now - self.vouched_at <= (VOUCHED_FOR if self.ocpi_type in (None, "RFID") else VOUCHED_BY_NAME)

    def must_be_asked_about(self, asks: str | None, now: datetime) -> bool:
        """Does its party have to be asked in real time (K4)? `asks`: as in AskingRules, of a tenant that has parties asked."""
        if not self.foreign or self.whitelist == "ALWAYS" or self.is_vouched_for(now):
            return False
        return self.whitelist != "ALLOWED" or asks == "all_tokens"

    @property
    def key(self) -> str:
        """What it is looked up by, and its sessions are."""
        return lookup_key(self.id_token, self.type)

    @property
    def family(self) -> tuple[KnownToken, ...]:
        """The token, and the one that it stands for: the verdicts on both hold."""
        return (self,) if self.parent is None else (self, self.parent)

    @property
    def told_group(self) -> str | None:
        """What a station is told as its group."""
        return next((text for text in (self.group_id_token, *(g.group_id_token for g in self.groups)) if text is not None), None)

    @property
    def charged_as(self) -> str | None:
        """The user type, for tariffs."""
        return next((text for text in (self.user_type, *(g.user_type for g in self.groups)) if text is not None), None)

    def held_by(self) -> Iterator[tuple[str, Restrictions]]:
        """(whose they are, restrictions) that hold for it, without those of the parent."""
        if self.restrictions is not None:
            yield "the token", self.restrictions
        for group in self.groups:
            if group.restrictions is not None:
                yield f"group {group.name}", group.restrictions
