"""OCPP 2.0.1 edition 3, part 2, functional block J: meter values."""

from typing import Annotated

from schemas.annotations import Items
from schemas.ocpp201.datatypes import MeterValueType
from schemas.structs import ExtensibleObject


class MeterValuesRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Readings outside a transaction (or clock-aligned ones). Station to CSMS."""

    evse_id: int  # 0 = main meter
    meter_value: Annotated[list[MeterValueType], Items(min=1)]


class MeterValuesResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to MeterValuesRequest."""
