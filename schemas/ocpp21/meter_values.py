"""OCPP 2.1, part 2, functional block J: meter values."""

from typing import Annotated

from schemas.annotations import Items, Range
from schemas.ocpp21.datatypes import MeterValueType
from schemas.structs import ExtensibleObject


class MeterValuesRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Readings outside a transaction (or clock-aligned ones). Station to CSMS."""

    evse_id: Annotated[int, Range(min=0)]  # 0 = main meter
    meter_value: Annotated[list[MeterValueType], Items(min=1)]
