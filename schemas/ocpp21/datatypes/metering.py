"""Datatypes of OCPP 2.1, part 2: meter values."""

from decimal import Decimal
from typing import Annotated

from schemas.annotations import DateTimeString, Items, Text
from schemas.ocpp21.enums import LocationEnumType, MeasurandEnumType
from schemas.ocpp201.datatypes import UnitOfMeasureType
from schemas.ocpp201.enums import PhaseEnumType, ReadingContextEnumType
from schemas.structs import ExtensibleObject


class SignedMeterValueType(ExtensibleObject, frozen=True, kw_only=True):
    """The signed form of a reading."""

    signed_meter_data: Annotated[str, Text(max=32768)]  # base64
    encoding_method: Annotated[str, Text(max=50)]  # data format name
    # ECDSA-…-SHA256 with … of secp192k1, secp256k1, secp192r1, secp256r1, brainpool256r1, secp384r1, brainpool384r1
    signing_method: Annotated[str, Text(max=50)] | None = None
    public_key: Annotated[str, Text(max=2500)] | None = None  # base64; may be "" (PublicKeyWithSignedMeterValue)


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
