"""OCPP 2.1, part 2, functional block H: reservation."""

from typing import Annotated

from schemas.annotations import DateTimeString, Range, Text
from schemas.ocpp21.datatypes import IdTokenType, StatusInfoType
from schemas.ocpp21.enums import ReservationUpdateStatusEnumType
from schemas.ocpp201.enums import CancelReservationStatusEnumType, ReserveNowStatusEnumType
from schemas.structs import ExtensibleObject


class CancelReservationRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Drop a reservation by id. CSMS to station."""

    reservation_id: Annotated[int, Range(min=0)]  # id from ReserveNow


class CancelReservationResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to CancelReservationRequest."""

    status: CancelReservationStatusEnumType
    status_info: StatusInfoType | None = None


class ReservationStatusUpdateRequest(ExtensibleObject, frozen=True, kw_only=True):
    """A reservation ended without use. Station to CSMS."""

    reservation_id: Annotated[int, Range(min=0)]
    reservation_update_status: ReservationUpdateStatusEnumType


class ReserveNowRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Reserve an EVSE, a connector type, or any EVSE. CSMS to station."""

    id: Annotated[int, Range(min=0)]  # reservation id; same id replaces
    expiry_date_time: DateTimeString  # end
    id_token: IdTokenType
    # reserve by type; standard: cCCS1, cCCS2, cChaoJi, cG105, cGBT-DC, cLECCS, cMCS, cNACS, cNACS-CCS1, cCCS1-NACS, cTesla, cType1,
    # cType2, cUltraChaoJi, s309-1P-16A, s309-1P-32A, s309-3P-16A, s309-3P-32A, sBS1361, sCEE-7-7, sType1, sType2, sType3,
    # wInductive, wResonant, Other1PhMax16A, Other1PhOver16A, Other3Ph, Pan, Undetermined, Unknown
    connector_type: Annotated[str, Text(max=20)] | None = None
    evse_id: Annotated[int, Range(min=0)] | None = None  # reserve this EVSE
    group_id_token: IdTokenType | None = None  # group that may use it


class ReserveNowResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ReserveNowRequest."""

    status: ReserveNowStatusEnumType
    status_info: StatusInfoType | None = None
