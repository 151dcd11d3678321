"""Object datatypes of OCPP 1.6 edition 2 and its security extension, each once."""

from decimal import Decimal
from typing import Annotated

from schemas.annotations import DateTimeString, Items, Text
from schemas.ocpp16.enums import (
    AuthorizationStatus,
    ChargingProfileKindType,
    ChargingProfilePurposeType,
    ChargingRateUnitType,
    HashAlgorithmEnumType,
    Location,
    Measurand,
    Phase,
    ReadingContext,
    RecurrencyKindType,
    UnitOfMeasure,
    ValueFormat,
)
from schemas.structs import ClosedObject

# CiStringN compares case-insensitively and holds at most N characters; the comparison is the domain's task.
CiString20 = Annotated[str, Text(max=20)]
CiString25 = Annotated[str, Text(max=25)]
CiString50 = Annotated[str, Text(max=50)]
CiString255 = Annotated[str, Text(max=255)]
CiString500 = Annotated[str, Text(max=500)]
IdToken = Annotated[str, Text(max=20)]  # compares case-insensitively


class IdTagInfo(ClosedObject, frozen=True, kw_only=True):
    """Verdict on a token; feeds the authorization cache."""

    status: AuthorizationStatus
    expiry_date: DateTimeString | None = None  # cache entry ends here; absent = no end
    parent_id_tag: IdToken | None = None  # group id


class AuthorizationData(ClosedObject, frozen=True, kw_only=True):
    """One entry of the local authorization list, or a change of one."""

    id_tag: IdToken
    id_tag_info: IdTagInfo | None = None  # Full: required; Differential: absent = delete entry


class CertificateHashDataType(ClosedObject, frozen=True, kw_only=True):
    """Identifies a certificate the way OCSP does."""

    hash_algorithm: HashAlgorithmEnumType
    issuer_name_hash: Annotated[str, Text(max=128)]  # hex hash of issuer DN (as in OCSP)
    issuer_key_hash: Annotated[str, Text(max=128)]  # hex hash of issuer public key
    serial_number: Annotated[str, Text(max=40)]  # hex, no leading zeros


class ChargingSchedulePeriod(ClosedObject, frozen=True, kw_only=True):
    """The limit that holds from its start until the next period starts."""

    start_period: int  # s from schedule start
    limit: Decimal  # in the schedule's unit
    number_phases: int | None = None  # default 3


class ChargingSchedule(ClosedObject, frozen=True, kw_only=True):
    """Limits over time, in one unit."""

    charging_rate_unit: ChargingRateUnitType  # A per phase, W total
    charging_schedule_period: Annotated[list[ChargingSchedulePeriod], Items(min=1)]  # first startPeriod is 0
    duration: int | None = None  # s; absent = last period goes on
    start_schedule: DateTimeString | None = None  # absolute start; absent = relative to charging start
    min_charging_rate: Decimal | None = None  # below this charging is inefficient


class ChargingProfile(ClosedObject, frozen=True, kw_only=True):
    """Same purpose + stackLevel (per connector) or same id replaces. Only one chargingSchedule in 1.6."""

    charging_profile_id: int  # unique per charge point
    stack_level: int  # 0 lowest; higher wins
    charging_profile_purpose: ChargingProfilePurposeType
    charging_profile_kind: ChargingProfileKindType
    charging_schedule: ChargingSchedule
    transaction_id: int | None = None  # only TxProfile
    recurrency_kind: RecurrencyKindType | None = None  # only with kind Recurring
    valid_from: DateTimeString | None = None  # absent = at once
    valid_to: DateTimeString | None = None  # absent = until replaced


class FirmwareType(ClosedObject, frozen=True, kw_only=True):
    """Where signed firmware is, when to fetch and install it, and what proves its origin."""

    location: Annotated[str, Text(max=512)]  # download URL
    retrieve_date_time: DateTimeString  # not before
    signing_certificate: Annotated[str, Text(max=5500)]  # PEM
    signature: Annotated[str, Text(max=800)]  # base64
    install_date_time: DateTimeString | None = None  # absent = at once


class KeyValue(ClosedObject, frozen=True, kw_only=True):
    """One configuration key of the charge point."""

    key: CiString50
    readonly: bool
    value: CiString500 | None = None  # absent if key has no value set


class LogParametersType(ClosedObject, frozen=True, kw_only=True):
    """Where a log goes and which span of time it covers."""

    remote_location: Annotated[str, Text(max=512)]  # upload URL
    oldest_timestamp: DateTimeString | None = None
    latest_timestamp: DateTimeString | None = None


class SampledValue(ClosedObject, frozen=True, kw_only=True):
    """One reading.

    Without any optional field: energy imported (register), in Wh, at the outlet, sampled periodically.
    """

    value: str  # number as text (Raw) or hex block (SignedData)
    context: ReadingContext | None = None  # default Sample.Periodic
    format: ValueFormat | None = None  # default Raw
    measurand: Measurand | None = None  # default Energy.Active.Import.Register
    phase: Phase | None = None  # absent = total
    location: Location | None = None  # default Outlet
    unit: UnitOfMeasure | None = None  # default Wh for energy


class MeterValue(ClosedObject, frozen=True, kw_only=True):
    """Everything sampled at one moment."""

    timestamp: DateTimeString  # for all samples in it
    sampled_value: Annotated[list[SampledValue], Items(min=1)]
