"""OCPP 2.1, part 2, functional block G: availability."""

from typing import Annotated

from schemas.annotations import DateTimeString, Range
from schemas.ocpp21.datatypes import EVSEType, StatusInfoType
from schemas.ocpp201.enums import ChangeAvailabilityStatusEnumType, ConnectorStatusEnumType, OperationalStatusEnumType
from schemas.structs import ExtensibleObject


class ChangeAvailabilityRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Put station, EVSE or connector in or out of service. CSMS to station."""

    operational_status: OperationalStatusEnumType
    evse: EVSEType | None = None  # absent = whole station; without connectorId = EVSE


class ChangeAvailabilityResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ChangeAvailabilityRequest."""

    status: ChangeAvailabilityStatusEnumType
    status_info: StatusInfoType | None = None


class StatusNotificationRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Status of one connector. Station to CSMS."""

    timestamp: DateTimeString  # time of the status
    connector_status: ConnectorStatusEnumType
    evse_id: Annotated[int, Range(min=0)]  # >0
    connector_id: Annotated[int, Range(min=0)]  # on that EVSE, from 1
