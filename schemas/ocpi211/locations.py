"""OCPI 2.1.1, module Locations."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from schemas.ocpi221.base import (
    AtLeastOne,
    Broken,
    Country,
    DateTime,
    EvseId,
    Id,
    Limits,
    LongId,
    OcpiObject,
    Text,
    Text45,
    Text64,
    Text255,
    Url,
)
from schemas.ocpi221.locations import (
    AdditionalGeoLocation,
    BusinessDetails,
    ConnectorFormat,
    EnergySource,
    EnvironmentalImpactCategory,
    ExceptionalPeriod,
    GeoLocation,
    Image,
    ParkingRestriction,
    RegularHours,
    Status,
    StatusSchedule,
)
from schemas.ocpi221.types import DisplayText

LocationType = Literal["ON_STREET", "PARKING_GARAGE", "UNDERGROUND_GARAGE", "PARKING_LOT", "OTHER", "UNKNOWN"]
Capability = Literal[
    "CHARGING_PROFILE_CAPABLE",
    "CREDIT_CARD_PAYABLE",
    "REMOTE_START_STOP_CAPABLE",
    "RESERVABLE",
    "RFID_READER",
    "UNLOCK_CAPABLE",
]
ConnectorType = Literal[
    "CHADEMO",
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
    "TESLA_R",
    "TESLA_S",
]
PowerType = Literal["AC_1_PHASE", "AC_3_PHASE", "DC"]
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
    "BUS_STOP",
    "TAXI_STAND",
    "TRAIN_STATION",
    "AIRPORT",
    "CARPOOL_PARKING",
    "FUEL_STATION",
    "WIFI",
]


class EnvironmentalImpact(OcpiObject, frozen=True, kw_only=True):
    """What producing the energy emits; 2.2.1 calls `source` category."""

    source: EnvironmentalImpactCategory | str
    amount: Decimal  # g/kWh


class EnergyMix(OcpiObject, frozen=True, kw_only=True):
    """Where the energy comes from."""

    is_green_energy: bool
    energy_sources: tuple[EnergySource, ...] = ()
    environ_impact: tuple[EnvironmentalImpact, ...] = ()
    supplier_name: Text64 | None = None
    energy_product_name: Text64 | None = None


class Hours(OcpiObject, frozen=True, kw_only=True):
    """When a location is open: regular hours, or twentyfourseven."""

    regular_hours: tuple[RegularHours, ...] = ()
    twentyfourseven: bool | None = None
    exceptional_openings: tuple[ExceptionalPeriod, ...] = ()
    exceptional_closings: tuple[ExceptionalPeriod, ...] = ()

    def broken_rules(self) -> Iterator[Broken]:
        """Digest, 21: either of them."""
        if self.twentyfourseven and self.regular_hours:
            yield Broken("regular_hours", "2.1.1", "is there next to twentyfourseven", "wrong")


class Connector(OcpiObject, frozen=True, kw_only=True):
    """A socket or cable of an EVSE."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("id",)

    id: Id
    standard: ConnectorType | str
    format: ConnectorFormat | str
    power_type: PowerType | str
    voltage: Annotated[int, Limits(min=0)]  # V
    amperage: Annotated[int, Limits(min=0)]  # A
    tariff_id: Id | None = None
    terms_and_conditions: Url | None = None
    last_updated: DateTime


class EVSE(OcpiObject, frozen=True, kw_only=True):
    """The part of a charging station that charges one vehicle at a time."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("uid",)

    uid: LongId
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


class Location(OcpiObject, frozen=True, kw_only=True):
    """A group of EVSEs that belong together for a driver. Its owner is the CPO of the connection."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("id",)

    id: LongId
    type: LocationType | str
    name: Text255 | None = None
    address: Text45
    city: Text45
    postal_code: Annotated[str, Text(max=10)]
    country: Country
    coordinates: GeoLocation
    related_locations: tuple[AdditionalGeoLocation, ...] = ()
    evses: tuple[EVSE, ...] = ()
    directions: tuple[DisplayText, ...] = ()
    operator: BusinessDetails | None = None
    suboperator: BusinessDetails | None = None
    owner: BusinessDetails | None = None
    facilities: tuple[Facility | str, ...] = ()
    time_zone: Text255 | None = None
    opening_times: Hours | None = None
    charging_when_closed: bool | None = None  # absent: true
    images: tuple[Image, ...] = ()
    energy_mix: EnergyMix | None = None
    last_updated: DateTime
