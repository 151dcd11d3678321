"""What partners are told of locations, EVSEs and connectors beyond what stations and prices need (columns `roaming`).

The members are those of OCPI 2.2.1 (mod_locations) and mean the same; what only we know stands first in each. Rules between members
are checked on the object that partners would get (csms.roaming.mapping).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from csms.pricing.tariff import DisplayText, EnergyMix
from schemas.ocpi221.locations import (
    Capability,
    ConnectorFormat,
    ConnectorType,
    Facility,
    ImageCategory,
    ParkingRestriction,
    ParkingType,
    PowerType,
    Status,
)
from schemas.ocpi221.types import TokenType

_PRINTABLE: Final = r"^[^\x00-\x1f\x7f-\x9f]+\Z"
_ASCII: Final = r"^[ -~]*[!-~][ -~]*\Z"
_CLOCK_TIME: Final = r"^([0-1][0-9]|2[0-3]):[0-5][0-9]\Z"

Text45: TypeAlias = Annotated[str, Meta(min_length=1, max_length=45, pattern=_PRINTABLE)]
Text64: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64, pattern=_PRINTABLE)]
Id36: TypeAlias = Annotated[str, Meta(min_length=1, max_length=36, pattern=_ASCII)]
Url: TypeAlias = Annotated[str, Meta(max_length=255, pattern=r"^https?://[^\s/?#\\]+([/?#][^\s\\]*)?\Z")]
Latitude: TypeAlias = Annotated[float, Meta(ge=-90, le=90)]
Longitude: TypeAlias = Annotated[float, Meta(ge=-180, le=180)]
Instant: TypeAlias = Annotated[datetime, Meta(tz=True)]
Texts: TypeAlias = Annotated[tuple[DisplayText, ...], Meta(max_length=50)]
Pixels: TypeAlias = Annotated[int, Meta(ge=1, le=99_999)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Base of everything here: immutable, unknown members refused, absent members left out."""


class Image(_Part, frozen=True, kw_only=True):
    """A picture and where to get it; width and height in pixels, `type` such as jpeg, png, svg."""

    url: Url
    category: ImageCategory
    type: Annotated[str, Meta(min_length=1, max_length=4, pattern=r"^[A-Za-z0-9]+\Z")]
    thumbnail: Url | None = None
    width: Pixels | None = None
    height: Pixels | None = None


Images: TypeAlias = Annotated[tuple[Image, ...], Meta(max_length=50)]


class BusinessDetails(_Part, frozen=True, kw_only=True):
    """A company."""

    name: Annotated[str, Meta(min_length=1, max_length=100, pattern=_PRINTABLE)]
    website: Url | None = None
    logo: Image | None = None


class GeoLocation(_Part, frozen=True, kw_only=True):
    """A place in WGS 84 degrees, told to 6 decimals."""

    latitude: Latitude
    longitude: Longitude


class AdditionalGeoLocation(_Part, frozen=True, kw_only=True):
    """A place that belongs to a location, such as its entrance."""

    latitude: Latitude
    longitude: Longitude
    name: DisplayText | None = None


class RegularHours(_Part, frozen=True, kw_only=True):
    """An opening on a weekday (1 is Monday) in local time; one past midnight is two of them (L12)."""

    weekday: Annotated[int, Meta(ge=1, le=7)]
    period_begin: Annotated[str, Meta(pattern=_CLOCK_TIME)]
    period_end: Annotated[str, Meta(pattern=_CLOCK_TIME)]


class ExceptionalPeriod(_Part, frozen=True, kw_only=True):
    """An opening or closing on a certain date."""

    period_begin: Instant
    period_end: Instant


class Hours(_Part, frozen=True, kw_only=True):
    """When a location is open: `regular_hours` exactly where `twentyfourseven` is false (L12)."""

    twentyfourseven: bool
    regular_hours: Annotated[tuple[RegularHours, ...], Meta(max_length=100)] = ()
    exceptional_openings: Annotated[tuple[ExceptionalPeriod, ...], Meta(max_length=100)] = ()
    exceptional_closings: Annotated[tuple[ExceptionalPeriod, ...], Meta(max_length=100)] = ()


class PublishToken(_Part, frozen=True, kw_only=True):
    """Tokens whose owners may see a location that is not published: those equal in every member given (L8, L13)."""

    uid: Id36 | None = None
    type: TokenType | None = None
    visual_number: Text64 | None = None
    issuer: Text64 | None = None
    group_id: Id36 | None = None


class StatusSchedule(_Part, frozen=True, kw_only=True):
    """A planned status (L11)."""

    period_begin: Instant
    status: Status
    period_end: Instant | None = None


class LocationDetails(_Part, frozen=True, kw_only=True):
    """Of a location. `shared` false: partners are told nothing of it (L9), while `publish` false tells them not to show it (L8).
    `party`: as which of the tenant's CPO parties it is told, such as DE-ABC; None: its first one."""

    shared: bool = True
    party: Annotated[str, Meta(pattern=r"^[A-Z]{2}-[A-Z0-9]{3}\Z")] | None = None
    publish: bool = True
    publish_allowed_to: Annotated[tuple[PublishToken, ...], Meta(max_length=100)] = ()
    state: Text45 | None = None
    related_locations: Annotated[tuple[AdditionalGeoLocation, ...], Meta(max_length=50)] = ()
    parking_type: ParkingType | None = None
    directions: Texts = ()
    operator: BusinessDetails | None = None
    suboperator: BusinessDetails | None = None
    owner: BusinessDetails | None = None
    facilities: Annotated[tuple[Facility, ...], Meta(max_length=50)] = ()
    opening_times: Hours | None = None
    charging_when_closed: bool | None = None
    images: Images = ()
    energy_mix: EnergyMix | None = None


class EvseDetails(_Part, frozen=True, kw_only=True):
    """Of an EVSE. `shared` as for locations. `planned`: it is told as PLANNED until its station has been
    seen; `blocked`: as BLOCKED while it would be AVAILABLE. `capabilities` None: REMOTE_START_STOP_CAPABLE."""

    shared: bool = True
    planned: bool = False
    blocked: bool = False
    capabilities: Annotated[tuple[Capability, ...], Meta(max_length=20)] | None = None
    status_schedule: Annotated[tuple[StatusSchedule, ...], Meta(max_length=100)] = ()
    floor_level: Annotated[str, Meta(min_length=1, max_length=4, pattern=_PRINTABLE)] | None = None
    coordinates: GeoLocation | None = None
    physical_reference: Annotated[str, Meta(min_length=1, max_length=16, pattern=_PRINTABLE)] | None = None
    directions: Texts = ()
    parking_restrictions: Annotated[tuple[ParkingRestriction, ...], Meta(max_length=20)] = ()
    images: Images = ()


class ConnectorDetails(_Part, frozen=True, kw_only=True):
    """Of a connector; what is None follows from its type and its highest power. Volts (to neutral for AC_3_PHASE), amperes of a
    phase, watts."""

    standard: ConnectorType | None = None
    format: ConnectorFormat | None = None
    power_type: PowerType | None = None
    max_voltage: Annotated[int, Meta(ge=1, le=5_000)] | None = None
    max_amperage: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    max_electric_power: Annotated[int, Meta(ge=1, le=100_000_000)] | None = None
    terms_and_conditions: Url | None = None


read_location: Final = msgspec.json.Decoder(LocationDetails).decode
read_evse: Final = msgspec.json.Decoder(EvseDetails).decode
read_connector: Final = msgspec.json.Decoder(ConnectorDetails).decode
