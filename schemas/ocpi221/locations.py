"""OCPI 2.2.1, module Locations."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from schemas.ocpi221.base import (
    AtLeastOne,
    Broken,
    ClockTime,
    Country,
    CountryCode,
    DateTime,
    EvseId,
    Id,
    Latitude,
    Limits,
    Longitude,
    OcpiObject,
    PartyId,
    Percent,
    Text,
    Text45,
    Text64,
    Text255,
    Url,
    ci,
)
from schemas.ocpi221.types import DisplayText, TokenType

# INOPERATIVE: not (yet) in service, not broken. OUTOFORDER: broken. REMOVED: gone for good. UNKNOWN: also offline.
Status = Literal[
    "AVAILABLE", "BLOCKED", "CHARGING", "INOPERATIVE", "OUTOFORDER", "PLANNED", "REMOVED", "RESERVED", "UNKNOWN"
]  # fmt: skip
Capability = Literal[
    "CHARGING_PROFILE_CAPABLE",
    "CHARGING_PREFERENCES_CAPABLE",
    "CHIP_CARD_SUPPORT",
    "CONTACTLESS_CARD_SUPPORT",
    "CREDIT_CARD_PAYABLE",
    "DEBIT_CARD_PAYABLE",
    "PED_TERMINAL",
    "REMOTE_START_STOP_CAPABLE",
    "RESERVABLE",
    "RFID_READER",
    "START_SESSION_CONNECTOR_REQUIRED",
    "TOKEN_GROUP_CAPABLE",
    "UNLOCK_CAPABLE",
]
ConnectorFormat = Literal["SOCKET", "CABLE"]
ConnectorType = Literal[
    "CHADEMO",
    "CHAOJI",
    "DOMESTIC_A",
    "DOMESTIC_B",
    "DOMESTIC_C",
    "DOMESTIC_D",
    "DOMESTIC_E",
    "DOMESTIC_F",
    "DOMESTIC_G",
    "DOMESTIC_H",
    "DOMESTIC_I",
    "DOMESTIC_J",
    "DOMESTIC_K",
    "DOMESTIC_L",
    "DOMESTIC_M",
    "DOMESTIC_N",
    "DOMESTIC_O",
    "GBT_AC",
    "GBT_DC",
    "IEC_60309_2_single_16",
    "IEC_60309_2_three_16",
    "IEC_60309_2_three_32",
    "IEC_60309_2_three_64",
    "IEC_62196_T1",
    "IEC_62196_T1_COMBO",
    "IEC_62196_T2",
    "IEC_62196_T2_COMBO",
    "IEC_62196_T3A",
    "IEC_62196_T3C",
    "NEMA_5_20",
    "NEMA_6_30",
    "NEMA_6_50",
    "NEMA_10_30",
    "NEMA_10_50",
    "NEMA_14_30",
    "NEMA_14_50",
    "PANTOGRAPH_BOTTOM_UP",
    "PANTOGRAPH_TOP_DOWN",
    "TESLA_R",
    "TESLA_S",
]
PowerType = Literal["AC_1_PHASE", "AC_2_PHASE", "AC_2_PHASE_SPLIT", "AC_3_PHASE", "DC"]
EnergySourceCategory = Literal["NUCLEAR", "GENERAL_FOSSIL", "COAL", "GAS", "GENERAL_GREEN", "SOLAR", "WIND", "WATER"]
EnvironmentalImpactCategory = Literal["NUCLEAR_WASTE", "CARBON_DIOXIDE"]
Facility = Literal[
    "HOTEL",
    "RESTAURANT",
    "CAFE",
    "MALL",
    "SUPERMARKET",
    "SPORT",
    "RECREATION_AREA",
    "NATURE",
    "MUSEUM",
    "BIKE_SHARING",
    "BUS_STOP",
    "TAXI_STAND",
    "TRAM_STOP",
    "METRO_STATION",
    "TRAIN_STATION",
    "AIRPORT",
    "PARKING_LOT",
    "CARPOOL_PARKING",
    "FUEL_STATION",
    "WIFI",
]
ImageCategory = Literal["CHARGER", "ENTRANCE", "LOCATION", "NETWORK", "OPERATOR", "OTHER", "OWNER"]
ParkingRestriction = Literal["EV_ONLY", "PLUGGED", "DISABLED", "CUSTOMERS", "MOTORCYCLES"]
ParkingType = Literal["ALONG_MOTORWAY", "PARKING_GARAGE", "PARKING_LOT", "ON_DRIVEWAY", "ON_STREET", "UNDERGROUND_GARAGE"]


class GeoLocation(OcpiObject, frozen=True, kw_only=True):
    """A place in WGS 84."""

    latitude: Latitude
    longitude: Longitude


class AdditionalGeoLocation(OcpiObject, frozen=True, kw_only=True):
    """A place that belongs to a location, such as its entrance."""

    latitude: Latitude
    longitude: Longitude
    name: DisplayText | None = None


class Image(OcpiObject, frozen=True, kw_only=True):
    """A picture and where to get it."""

    url: Url
    thumbnail: Url | None = None
    category: ImageCategory | str
    type: Annotated[str, ci(4)]  # gif, jpeg, png, svg ...
    width: Annotated[int, Limits(min=0, max=99_999)] | None = None  # pixels
    height: Annotated[int, Limits(min=0, max=99_999)] | None = None  # pixels


class BusinessDetails(OcpiObject, frozen=True, kw_only=True):
    """A company."""

    name: Annotated[str, Text(max=100)]
    website: Url | None = None
    logo: Image | None = None


class EnergySource(OcpiObject, frozen=True, kw_only=True):
    """A share of the energy."""

    source: EnergySourceCategory | str
    percentage: Percent


class EnvironmentalImpact(OcpiObject, frozen=True, kw_only=True):
    """What producing the energy emits."""

    category: EnvironmentalImpactCategory | str
    amount: Decimal  # g/kWh


class EnergyMix(OcpiObject, frozen=True, kw_only=True):
    """Where the energy comes from."""

    is_green_energy: bool
    energy_sources: tuple[EnergySource, ...] = ()
    environ_impact: tuple[EnvironmentalImpact, ...] = ()
    supplier_name: Text64 | None = None
    energy_product_name: Text64 | None = None


class ExceptionalPeriod(OcpiObject, frozen=True, kw_only=True):
    """An opening or closing on a certain date."""

    period_begin: DateTime
    period_end: DateTime


class RegularHours(OcpiObject, frozen=True, kw_only=True):
    """An opening on a weekday, in local time."""

    weekday: Annotated[int, Limits(min=1, max=7)]  # 1 = Monday
    period_begin: ClockTime
    period_end: ClockTime

    def broken_rules(self) -> Iterator[Broken]:
        """L12: a period past midnight is two entries."""
        if self.period_end <= self.period_begin:
            yield Broken("period_end", "L12", "is not later than period_begin", "wrong")


class Hours(OcpiObject, frozen=True, kw_only=True):
    """When a location is open. Closings beat openings, openings beat regular hours."""

    twentyfourseven: bool
    regular_hours: tuple[RegularHours, ...] = ()
    exceptional_openings: tuple[ExceptionalPeriod, ...] = ()
    exceptional_closings: tuple[ExceptionalPeriod, ...] = ()

    def broken_rules(self) -> Iterator[Broken]:
        """L12: regular hours exactly where it is not always open."""
        if self.twentyfourseven and self.regular_hours:
            yield Broken("regular_hours", "L12", "is only for twentyfourseven = false", "wrong")
        if not self.twentyfourseven and not self.regular_hours:
            yield Broken("regular_hours", "L12", "is missing for twentyfourseven = false", "wrong")


class PublishTokenType(OcpiObject, frozen=True, kw_only=True):
    """Tokens whose owners may see an unpublished location: those equal in every field that is given here."""

    uid: Id | None = None
    type: TokenType | str | None = None
    visual_number: Text64 | None = None
    issuer: Text64 | None = None
    group_id: Id | None = None

    def broken_rules(self) -> Iterator[Broken]:
        """L13."""
        if self.uid is None and self.visual_number is None and self.group_id is None:
            yield Broken("uid", "L13", "is missing, as are visual_number and group_id", "wrong")
        if self.uid is not None and self.type is None:
            yield Broken("type", "L13", "is missing next to uid", "wrong")
        if self.visual_number is not None and self.issuer is None:
            yield Broken("issuer", "L13", "is missing next to visual_number", "wrong")


class StatusSchedule(OcpiObject, frozen=True, kw_only=True):
    """A planned status; the real one is told when it changes (L11)."""

    period_begin: DateTime
    period_end: DateTime | None = None
    status: Status | str


class Connector(OcpiObject, frozen=True, kw_only=True):
    """A socket or cable of an EVSE; its id is unique within the EVSE only."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("id",)

    id: Id
    standard: ConnectorType | str
    format: ConnectorFormat | str
    power_type: PowerType | str
    max_voltage: Annotated[int, Limits(min=0)]  # V, line to neutral for AC_3_PHASE
    max_amperage: Annotated[int, Limits(min=0)]  # A per phase
    max_electric_power: Annotated[int, Limits(min=0)] | None = None  # W, where voltage and amperage promise more
    tariff_ids: tuple[Id, ...] = ()
    terms_and_conditions: Url | None = None
    last_updated: DateTime


class EVSE(OcpiObject, frozen=True, kw_only=True):
    """The part of a charging station that charges one vehicle at a time."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("uid",)

    uid: Id
    evse_id: EvseId | None = None
    status: Status | str
    status_schedule: tuple[StatusSchedule, ...] = ()
    capabilities: tuple[Capability | str, ...] = ()
    connectors: Annotated[tuple[Connector, ...], AtLeastOne()]
    floor_level: Annotated[str, Text(max=4)] | None = None
    coordinates: GeoLocation | None = None
    physical_reference: Annotated[str, Text(max=16)] | None = None
    directions: tuple[DisplayText, ...] = ()
    parking_restrictions: tuple[ParkingRestriction | str, ...] = ()
    images: tuple[Image, ...] = ()
    last_updated: DateTime

    def broken_rules(self) -> Iterator[Broken]:
        """L5."""
        if any(connector.last_updated > self.last_updated for connector in self.connectors):
            yield Broken("last_updated", "L5", "is before that of a connector", "wrong")


class Location(OcpiObject, frozen=True, kw_only=True):
    """A group of EVSEs that belong together for a driver. Owner: the CPO."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("country_code", "party_id", "id")

    country_code: CountryCode
    party_id: PartyId
    id: Id
    publish: bool
    publish_allowed_to: tuple[PublishTokenType, ...] = ()
    name: Text255 | None = None
    address: Text255
    city: Text45
    postal_code: Annotated[str, Text(max=10)] | None = None
    state: Text45 | None = None
    country: Country
    coordinates: GeoLocation
    related_locations: tuple[AdditionalGeoLocation, ...] = ()
    parking_type: ParkingType | str | None = None
    evses: tuple[EVSE, ...] = ()
    directions: tuple[DisplayText, ...] = ()
    operator: BusinessDetails | None = None
    suboperator: BusinessDetails | None = None
    owner: BusinessDetails | None = None
    facilities: tuple[Facility | str, ...] = ()
    time_zone: Text255  # IANA name
    opening_times: Hours | None = None
    charging_when_closed: bool | None = None  # absent: true
    images: tuple[Image, ...] = ()
    energy_mix: EnergyMix | None = None
    last_updated: DateTime

    def broken_rules(self) -> Iterator[Broken]:
        """L8 and L5."""
        if self.publish and self.publish_allowed_to:
            yield Broken("publish_allowed_to", "L8", "is only for publish = false", "fatal")
        if any(evse.last_updated > self.last_updated for evse in self.evses):
            yield Broken("last_updated", "L5", "is before that of an EVSE", "wrong")
