"""Partners: the platforms that a tenant is connected with."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.roaming.parties import PartnerRole
from schemas.ocpi221.headers import TokenEncoding

PartnerStatus = Literal["planned", "connected", "offline", "suspended", "left"]


class PartnerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a partner is treated where partners differ; the defaults are those of the standard."""

    token_encoding: TokenEncoding | None = None
    """A6: how it wants our token; None: as its version has it (raw for 2.1.1, Base64 for all newer ones)."""
    credentials_twice: bool = False
    """V3: list the module credentials as SENDER and as RECEIVER."""
    lenient_put: bool = False
    """Z14: a PUT of an object that is known is merged into it."""
    sessions_default_days: Annotated[int, Meta(ge=1, le=365)] | None = None
    """Z20: a list of sessions without date_from gives those of so many days; None: 2001."""
    requests_per_minute: Annotated[int, Meta(ge=10, le=100_000)] = 3_000
    """What it may ask of us."""
    versions: tuple[str, ...] | None = None
    """Versions that it is offered; None: all."""
    timeout_s: Annotated[float, Meta(ge=1, le=60)] = 30.0
    """17.3: for a request of ours."""
    ask_unknown_tokens: bool = True
    """17.4: it may be asked about a token whose owner nobody knows."""
    own_role: Literal["CPO", "EMSP"] | None = None
    """What we are to a platform whose version has one role for each connection (2.1.1). None: the only role that we have, or what
    the partner takes us for when it registers; kept from then on."""
    rotate_days: Annotated[int, Meta(ge=1, le=365)] | None = None
    """C10: our tokens and its are renewed when they are so many days old; None: only when somebody asks for it."""
    most_objects: Annotated[int, Meta(ge=1, le=100_000_000)] = 500_000
    """How many of its locations are stored here, as many tariffs, and as many tokens."""
    most_records: Annotated[int, Meta(ge=1, le=100_000_000)] = 5_000_000
    """How many of its sessions are stored here, as many CDRs, and as many records of invoices: these are kept."""
    most_megabytes: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_240
    """How long all of that may be together."""


class PartnerEndpoint(msgspec.Struct, frozen=True):
    """One of a partner's endpoints, as it told us. `role` None: it named none (Z16)."""

    identifier: str
    url: str
    role: Literal["SENDER", "RECEIVER"] | None = None


class Partner(msgspec.Struct, frozen=True, kw_only=True):
    """A connection of a tenant with a platform. `token`: what we use towards it, sealed."""

    tenant_id: int
    partner_id: UUID
    name: str
    status: PartnerStatus
    status_since: datetime
    heard_at: datetime | None
    version: str | None
    versions_url: str | None
    endpoints: tuple[PartnerEndpoint, ...]
    token_sealed: bytes | None
    settings: PartnerSettings
    needs_resync: bool
    created_at: datetime
    updated_at: datetime
    roles: tuple[PartnerRole, ...] = ()

    @property
    def registered(self) -> bool:
        """Whether requests may be sent to it at all."""
        return self.status in ("connected", "offline")

    def endpoint(self, module: str, role: Literal["SENDER", "RECEIVER"] | None) -> str | None:
        """The URL of its interface; None: it has none. `role` None for credentials, whose role means nothing (V3)."""
        for endpoint in self.endpoints:
            if endpoint.identifier == module and (role is None or endpoint.role in (role, None)):
                return endpoint.url
        return None
