"""What our tables hold of the things that partners are told, as the mapping reads it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from csms.pricing.cost import ChargingPeriod
from csms.pricing.tariff import Price
from csms.roaming.details import ConnectorDetails, EvseDetails, LocationDetails


class LocationSource(msgspec.Struct, frozen=True, kw_only=True):
    """A location; `time_zone` is its own, else the tenant's."""

    location_id: UUID
    name: str
    address: str | None
    city: str | None
    postal_code: str | None
    country: str | None
    latitude: Decimal | None
    longitude: Decimal | None
    time_zone: str
    details: LocationDetails


class ConnectorSource(msgspec.Struct, frozen=True, kw_only=True):
    """A connector by its wire number. `status`: the word of its station's OCPP version."""

    connector_id: int
    connector_type: str | None
    max_power_w: int | None
    status: str | None
    details: ConnectorDetails


class EvseSource(msgspec.Struct, frozen=True, kw_only=True):
    """An EVSE with what of its station matters. `seen`: the station has been connected once; `station_status`: the status of the
    station as a whole, if it told one; `offline`: as told by the event station.offline (30 s without a connection)."""

    location_id: UUID | None
    station_id: int
    charge_point_id: str
    retired: bool
    offline: bool
    seen: bool
    station_status: str | None
    evse_id: int
    evse_uid: UUID
    emi3_evse_id: str | None
    details: EvseDetails
    connectors: tuple[ConnectorSource, ...]

    @property
    def uid(self) -> str:
        return str(self.evse_uid)


class TokenSource(msgspec.Struct, frozen=True, kw_only=True):
    """A token of the tenant's own. `group`: what stations are told as its group."""

    token_id: UUID
    id_token: str
    type: str
    kind: str | None
    ocpi_type: str | None
    status: str
    valid_from: datetime | None
    valid_until: datetime | None
    retired: bool
    visual_id: str | None
    issuer: str | None
    contract_id: str | None
    language: str | None
    whitelist: Literal["ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER"]
    group: str | None

    def valid_at(self, now: datetime) -> bool:
        """K2."""
        return (
            not self.retired
            and self.status == "accepted"
            and (self.valid_from is None or self.valid_from <= now)
            and (self.valid_until is None or now < self.valid_until)
        )


class ForeignToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token of another party. Codes in capitals."""

    country_code: str
    party_id: str
    id_token: str
    ocpi_type: str | None
    type: str
    kind: str | None
    contract_id: str | None


class Vouching(msgspec.Struct, frozen=True):
    """How an eMSP vouched for a session (ocpi_authorizations)."""

    method: Literal["AUTH_REQUEST", "COMMAND"]
    reference: str | None


class SessionSource(msgspec.Struct, frozen=True, kw_only=True):
    """A session of another party's token. `periods`: of its running cost, or of its CDR; None: it has no price. `currency`: the
    tenant's where no tariff was chosen. `told_as`: its id for partners (csms.store.queries.ocpi_session_ids).

    A partner's reservation that no session goes on with is one too: `reserved` while it stands, then `lapsed`; `session_id` is
    then `told_as`, and without an `evse_uid` its station has the choice.
    """

    session_id: UUID
    told_as: UUID
    status: Literal["active", "completed", "incomplete", "reserved", "lapsed"]
    created_at: datetime
    start_time: datetime | None
    stop_time: datetime | None
    last_meter_time: datetime | None
    energy_wh: Decimal | None
    location_id: UUID | None
    evse_uid: UUID | None
    connector_id: int | None
    meter_serial: str | None
    by_command: bool
    currency: str
    tariff_id: str | None
    total_cost: Price | None
    periods: tuple[ChargingPeriod, ...] | None
    token: ForeignToken
    vouching: Vouching | None

    @property
    def keeps_place(self) -> bool:
        """It is, or was, a reservation alone."""
        return self.status in ("reserved", "lapsed")

    @property
    def started_at(self) -> datetime:
        """E3: of a reservation when it was made."""
        return self.start_time or self.created_at

    @property
    def ended_at(self) -> datetime | None:
        """None while it runs; never before its start, whatever the station's clock said."""
        if self.status in ("active", "reserved"):
            return None
        return max(self.stop_time or self.last_meter_time or self.started_at, self.started_at)
