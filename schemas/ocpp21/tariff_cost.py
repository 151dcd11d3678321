"""OCPP 2.1, part 2, functional block I: tariff and cost."""

from typing import Annotated

from schemas.annotations import Items, Range, Text
from schemas.ocpp21.datatypes import ClearTariffsResultType, StatusInfoType, TariffAssignmentType, TariffType
from schemas.ocpp21.enums import TariffChangeStatusEnumType, TariffGetStatusEnumType, TariffSetStatusEnumType
from schemas.structs import ExtensibleObject


class ChangeTransactionTariffRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Use another tariff for a running transaction; same currency needed. Follow-up: TransactionEvent with trigger
    TariffChanged and tariffId. CSMS to station.
    """

    tariff: TariffType  # new tariff
    transaction_id: Annotated[str, Text(max=36)]


class ChangeTransactionTariffResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ChangeTransactionTariffRequest."""

    status: TariffChangeStatusEnumType
    status_info: StatusInfoType | None = None


class ClearTariffsRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Remove tariffs by id and/or EVSE; none given = all. One result per tariff. CSMS to station."""

    tariff_ids: Annotated[list[Annotated[str, Text(max=60)]], Items(min=1)] | None = None  # absent = all
    evse_id: Annotated[int, Range(min=0)] | None = None  # absent = whole station


class ClearTariffsResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ClearTariffsRequest."""

    clear_tariffs_result: Annotated[list[ClearTariffsResultType], Items(min=1)]


class GetTariffsRequest(ExtensibleObject, frozen=True, kw_only=True):
    """List installed tariffs of one EVSE (0 = all). NoTariff if empty. CSMS to station."""

    evse_id: Annotated[int, Range(min=0)]  # 0 = all


class GetTariffsResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetTariffsRequest."""

    status: TariffGetStatusEnumType
    status_info: StatusInfoType | None = None
    tariff_assignments: Annotated[list[TariffAssignmentType], Items(min=1)] | None = None


class SetDefaultTariffRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Install the default tariff of an EVSE (0 = each). Kept over reboots. CSMS to station."""

    evse_id: Annotated[int, Range(min=0)]  # 0 = each EVSE
    tariff: TariffType


class SetDefaultTariffResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to SetDefaultTariffRequest."""

    status: TariffSetStatusEnumType
    status_info: StatusInfoType | None = None
