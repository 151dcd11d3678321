"""OCPP 1.6 edition 2, feature profile Reservation."""

from schemas.annotations import DateTimeString
from schemas.ocpp16.datatypes import IdToken
from schemas.ocpp16.enums import CancelReservationStatus, ReservationStatus
from schemas.structs import ClosedObject


class CancelReservationRequest(ClosedObject, frozen=True, kw_only=True):
    """Drop a reservation by id. Central system to charge point."""

    reservation_id: int  # id given in ReserveNow


class CancelReservationResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to CancelReservationRequest."""

    status: CancelReservationStatus


class ReserveNowRequest(ClosedObject, frozen=True, kw_only=True):
    """Reserve a connector (or any, id 0) for a token. Central system to charge point."""

    connector_id: int  # 0 only if ReserveConnectorZeroSupported
    expiry_date: DateTimeString  # end of the reservation
    id_tag: IdToken  # holder
    reservation_id: int  # same id replaces the earlier reservation
    parent_id_tag: IdToken | None = None  # group that may use it too


class ReserveNowResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to ReserveNowRequest."""

    status: ReservationStatus
