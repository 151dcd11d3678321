"""What a tenant knows of an id token and of the groups above it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

import msgspec

from csms.domain.restrictions import Restrictions
from csms.domain.token_identity import lookup_key


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
    """`group_id_token` is the token's own; `groups` are nearest first; `parent` is the token that this one stands for."""

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
    restrictions: Restrictions | None = None
    groups: tuple[KnownGroup, ...] = ()
    parent: KnownToken | None = None

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
