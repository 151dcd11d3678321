"""OCPP 2.1, part 2, functional block N: diagnostics.

The periodic event streams, which 2.0.1 does not have.
"""

from typing import Annotated

from schemas.annotations import DateTimeString, Items, Range
from schemas.ocpp21.datatypes import ConstantStreamDataType, PeriodicEventStreamParamsType, StatusInfoType, StreamDataElementType
from schemas.ocpp201.enums import GenericStatusEnumType
from schemas.structs import ExtensibleObject


class AdjustPeriodicEventStreamRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Change pace of an open event stream. Rejected if the station cannot. CSMS to station."""

    id: Annotated[int, Range(min=0)]  # stream
    params: PeriodicEventStreamParamsType


class AdjustPeriodicEventStreamResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to AdjustPeriodicEventStreamRequest."""

    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None


class ClosePeriodicEventStreamRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Station ends a stream (after flushing it); later values come by NotifyEvent. Station to CSMS."""

    id: Annotated[int, Range(min=0)]  # stream


class ClosePeriodicEventStreamResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ClosePeriodicEventStreamRequest."""


class GetPeriodicEventStreamRequest(ExtensibleObject, frozen=True, kw_only=True):
    """List open event streams. CSMS to station."""


class GetPeriodicEventStreamResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetPeriodicEventStreamRequest."""

    constant_stream_data: Annotated[list[ConstantStreamDataType], Items(min=1)] | None = None


class NotifyPeriodicEventStreamRequest(ExtensibleObject, frozen=True, kw_only=True):
    """SEND frame (type 6), never answered. Several values of one monitor. Station to CSMS."""

    data: Annotated[list[StreamDataElementType], Items(min=1)]
    id: Annotated[int, Range(min=0)]  # stream
    pending: Annotated[int, Range(min=0)]  # values still waiting
    basetime: DateTimeString  # timestamp of the first value


class OpenPeriodicEventStreamRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Station announces a stream for a monitor. Rejected: it falls back to NotifyEvent. Station to CSMS."""

    constant_stream_data: ConstantStreamDataType  # stream id, pace, monitor


class OpenPeriodicEventStreamResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to OpenPeriodicEventStreamRequest."""

    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None
