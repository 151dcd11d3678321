"""OCPP 2.0.1 edition 3, part 2, functional block H: reservation."""

from schemas.annotations import DateTimeString
from schemas.ocpp201.datatypes import IdTokenType, StatusInfoType
from schemas.ocpp201.enums import (
    CancelReservationStatusEnumType,
    ConnectorEnumType,
    ReservationUpdateStatusEnumType,
    ReserveNowStatusEnumType,
)
from schemas.structs import ExtensibleObject


class CancelReservationRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Drop a reservation by id. CSMS to station."""

    reservation_id: int  # id from ReserveNow


class CancelReservationResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to CancelReservationRequest."""

    status: CancelReservationStatusEnumType
    status_info: StatusInfoType | None = None


class ReservationStatusUpdateRequest(ExtensibleObject, frozen=True, kw_only=True):
    """A reservation ended without use. Station to CSMS."""

    reservation_id: int
    reservation_update_status: ReservationUpdateStatusEnumType


class ReservationStatusUpdateResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ReservationStatusUpdateRequest."""


class ReserveNowRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Reserve an EVSE, a connector type, or any EVSE. CSMS to station."""

    id: int  # reservation id; same id replaces
    expiry_date_time: DateTimeString  # end
    id_token: IdTokenType
    connector_type: ConnectorEnumType | None = None  # reserve by type
    evse_id: int | None = None  # reserve this EVSE
    group_id_token: IdTokenType | None = None  # group that may use it


class ReserveNowResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ReserveNowRequest."""

    status: ReserveNowStatusEnumType
    status_info: StatusInfoType | None = None
