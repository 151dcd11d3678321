"""OCPP 2.1, part 2, functional block S: battery swapping."""

from typing import Annotated

from schemas.annotations import Items
from schemas.ocpp21.datatypes import BatteryDataType, IdTokenType, StatusInfoType
from schemas.ocpp21.enums import BatterySwapEventEnumType
from schemas.ocpp201.enums import GenericStatusEnumType
from schemas.structs import ExtensibleObject


class BatterySwapRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Batteries were put in, taken out, or not taken in time. The answer is empty (cannot be refused). Station to CSMS."""

    battery_data: Annotated[list[BatteryDataType], Items(min=1)]
    event_type: BatterySwapEventEnumType
    id_token: IdTokenType  # token that swaps
    request_id: int  # links in/out events and RequestBatterySwap


class BatterySwapResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to BatterySwapRequest."""


class RequestBatterySwapRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Let an authorized token swap batteries. Rejected/NoBatteryAvailable if none is ready. CSMS to station."""

    id_token: IdTokenType
    request_id: int  # echoed in BatterySwap


class RequestBatterySwapResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to RequestBatterySwapRequest."""

    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None
