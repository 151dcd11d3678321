"""OCPI 2.3.0, module Locations: what has come to 2.2.1."""

from decimal import Decimal
from typing import Annotated, Literal

from schemas.ocpi221 import locations as ocpi221
from schemas.ocpi221.base import AtLeastOne, Id, Limits, OcpiObject, Text, ci
from schemas.ocpi221.locations import Image
from schemas.ocpi230.types import TokenType

ConnectorType = Literal[ocpi221.ConnectorType, "MCS", "SAE_J3400"]
ConnectorCapability = Literal["ISO_15118_2_PLUG_AND_CHARGE", "ISO_15118_20_PLUG_AND_CHARGE"]
EVSEPosition = Literal["LEFT", "RIGHT", "CENTER"]
ParkingDirection = Literal["PARALLEL", "PERPENDICULAR", "ANGLE"]
ParkingRestriction = Literal[ocpi221.ParkingRestriction, "EMPLOYEES", "TAXIS", "TENANTS"]
VehicleType = Literal[
    "MOTORCYCLE",
    "PERSONAL_VEHICLE",
    "PERSONAL_VEHICLE_WITH_TRAILER",
    "VAN",
    "SEMI_TRACTOR",
    "RIGID",
    "TRUCK_WITH_TRAILER",
    "BUS",
    "DISABLED",
]

_Amount = Annotated[Decimal, Limits(min=0)]


class PublishTokenType(ocpi221.PublishTokenType, frozen=True, kw_only=True):
    """Tokens whose owners may see an unpublished location."""

    type: TokenType | str | None = None


class EVSEParking(OcpiObject, frozen=True, kw_only=True):
    """A parking place from which an EVSE can be used."""

    parking_id: Id
    evse_position: EVSEPosition | str | None = None


class Parking(OcpiObject, frozen=True, kw_only=True):
    """A parking place, and for whom it is."""

    id: Id
    physical_reference: Annotated[str, Text(max=12)] | None = None
    vehicle_types: Annotated[tuple[VehicleType | str, ...], AtLeastOne()]
    max_vehicle_weight: _Amount | None = None  # kg
    max_vehicle_height: _Amount | None = None  # cm
    max_vehicle_length: _Amount | None = None  # cm
    max_vehicle_width: _Amount | None = None  # cm
    parking_space_length: _Amount | None = None  # cm
    parking_space_width: _Amount | None = None  # cm
    dangerous_goods_allowed: bool | None = None
    direction: ParkingDirection | str | None = None
    drive_through: bool | None = None
    restricted_to_type: bool
    reservation_required: bool
    time_limit: _Amount | None = None  # minutes
    roofed: bool | None = None
    images: tuple[Image, ...] = ()
    lighting: bool | None = None
    refrigeration_outlet: bool | None = None
    standards: tuple[Id, ...] = ()
    apds_reference: Annotated[str, ci(255)] | None = None


class Connector(ocpi221.Connector, frozen=True, kw_only=True):
    """A socket or cable of an EVSE."""

    standard: ConnectorType | str
    capabilities: tuple[ConnectorCapability | str, ...] = ()


class EVSE(ocpi221.EVSE, frozen=True, kw_only=True):
    """The part of a charging station that charges one vehicle at a time."""

    connectors: Annotated[tuple[Connector, ...], AtLeastOne()]
    parking_restrictions: tuple[ParkingRestriction | str, ...] = ()
    parking: tuple[EVSEParking, ...] = ()
    accepted_service_providers: tuple[Annotated[str, Text(max=50)], ...] = ()


class Location(ocpi221.Location, frozen=True, kw_only=True):
    """A group of EVSEs that belong together for a driver. Owner: the CPO."""

    publish_allowed_to: tuple[PublishTokenType, ...] = ()
    evses: tuple[EVSE, ...] = ()
    parking_places: tuple[Parking, ...] = ()
    help_phone: Annotated[str, ci(25)] | None = None
