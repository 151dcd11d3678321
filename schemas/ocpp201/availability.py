"""OCPP 2.0.1 edition 3, part 2, functional block G: availability."""

from schemas.annotations import DateTimeString
from schemas.ocpp201.datatypes import EVSEType, StatusInfoType
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


class HeartbeatRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Keep-alive and clock source. Station to CSMS."""


class HeartbeatResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to HeartbeatRequest."""

    current_time: DateTimeString  # CSMS clock


class StatusNotificationRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Status of one connector. Station to CSMS."""

    timestamp: DateTimeString  # time of the status
    connector_status: ConnectorStatusEnumType
    evse_id: int  # >0
    connector_id: int  # on that EVSE, from 1


class StatusNotificationResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to StatusNotificationRequest."""
