"""Datatypes of OCPP 2.1, part 2: periodic event streams."""

from decimal import Decimal
from typing import Annotated

from schemas.annotations import Range, Text
from schemas.structs import ExtensibleObject


class PeriodicEventStreamParamsType(ExtensibleObject, frozen=True, kw_only=True):
    """The pace of an event stream."""

    interval: Annotated[int, Range(min=0)] | None = None  # s between sends
    values: Annotated[int, Range(min=0)] | None = None  # values per send


class ConstantStreamDataType(ExtensibleObject, frozen=True, kw_only=True):
    """What does not change while an event stream is open."""

    id: Annotated[int, Range(min=0)]  # stream id
    params: PeriodicEventStreamParamsType
    variable_monitoring_id: Annotated[int, Range(min=0)]  # monitor behind it


class StreamDataElementType(ExtensibleObject, frozen=True, kw_only=True):
    """A value of an event stream."""

    t: Decimal  # s after basetime
    v: Annotated[str, Text(max=2500)]  # value
