"""OCPP 2.1, part 2, functional block Q: bidirectional power transfer."""

from typing import Annotated

from schemas.annotations import DateTimeString, Items, Text
from schemas.ocpp21.datatypes import StatusInfoType
from schemas.ocpp21.enums import EnergyTransferModeEnumType, NotifyAllowedEnergyTransferStatusEnumType
from schemas.ocpp201.enums import GenericStatusEnumType
from schemas.structs import ExtensibleObject


class AFRRSignalRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Send a frequency-regulation signal value; the station looks it up in v2xSignalWattCurve (operationMode
    CentralFrequency). Rejected/NoSignalWattCurve if the active period has none. CSMS to station.
    """

    timestamp: DateTimeString  # becomes active
    signal: int  # curve input


class AFRRSignalResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to AFRRSignalRequest."""

    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None


class NotifyAllowedEnergyTransferRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Change which energy transfer modes a transaction may use; may start a 15118-20 service renegotiation. CSMS to station."""

    transaction_id: Annotated[str, Text(max=36)]
    allowed_energy_transfer: Annotated[list[EnergyTransferModeEnumType], Items(min=1)]


class NotifyAllowedEnergyTransferResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to NotifyAllowedEnergyTransferRequest."""

    status: NotifyAllowedEnergyTransferStatusEnumType
    status_info: StatusInfoType | None = None
