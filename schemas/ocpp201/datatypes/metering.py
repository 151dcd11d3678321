"""Object datatypes of OCPP 2.0.1: meter values."""

from decimal import Decimal
from typing import Annotated

from schemas.annotations import DateTimeString, Items, Text
from schemas.ocpp201.enums import LocationEnumType, MeasurandEnumType, PhaseEnumType, ReadingContextEnumType
from schemas.structs import ExtensibleObject


class SignedMeterValueType(ExtensibleObject, frozen=True, kw_only=True):
    """The signed form of a reading."""

    signed_meter_data: Annotated[str, Text(max=2500)]  # base64
    signing_method: Annotated[str, Text(max=50)]  # algorithm name
    encoding_method: Annotated[str, Text(max=50)]  # data format name
    public_key: Annotated[str, Text(max=2500)]  # base64; may be "" (PublicKeyWithSignedMeterValue)


class UnitOfMeasureType(ExtensibleObject, frozen=True, kw_only=True):
    """Unit of a reading, and the power of ten to multiply it by."""

    unit: Annotated[str, Text(max=20)] | None = None  # from the standard's list; default Wh for energy
    multiplier: int | None = None  # power of ten, default 0


class SampledValueType(ExtensibleObject, frozen=True, kw_only=True):
    """One reading.

    Without any optional field: energy imported (register), in Wh, at the outlet, sampled periodically.
    """

    value: Decimal  # number (not text as in 1.6)
    context: ReadingContextEnumType | None = None  # default Sample.Periodic
    measurand: MeasurandEnumType | None = None  # default Energy.Active.Import.Register
    phase: PhaseEnumType | None = None  # absent = total
    location: LocationEnumType | None = None  # default Outlet
    signed_meter_value: SignedMeterValueType | None = None
    unit_of_measure: UnitOfMeasureType | None = None


class MeterValueType(ExtensibleObject, frozen=True, kw_only=True):
    """Everything sampled at one moment."""

    sampled_value: Annotated[list[SampledValueType], Items(min=1)]
    timestamp: DateTimeString
