"""What a station can be configured with: one table, named in the words of either version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from csms.simulate.local_list import MOST_ENTRIES, MOST_PER_MESSAGE
from csms.simulate.profiles import MOST_PERIODS, MOST_PROFILES, MOST_STACK_LEVEL


@dataclass(slots=True)
class Variable:
    """A setting: `key` names it in OCPP 1.6, `component` and `variable` in 2.0.1; either may be missing."""

    key: str | None
    component: str | None
    variable: str | None
    value: str
    kind: Literal["integer", "boolean", "string"]
    readonly: bool = False
    instance: str | None = None

    def takes(self, value: str) -> bool:
        match self.kind:
            case "integer":
                return value.isascii() and value.isdigit() and len(value) < 10
            case "boolean":
                return value.lower() in ("true", "false")
            case "string":
                return len(value) <= 500


def _table(connectors: int, meter_interval: float, attempts: int, retry_interval: float) -> list[Variable]:
    return [
        Variable("HeartbeatInterval", "OCPPCommCtrlr", "HeartbeatInterval", "300", "integer"),
        Variable("MeterValueSampleInterval", "SampledDataCtrlr", "TxUpdatedInterval", str(int(meter_interval)), "integer"),
        Variable("MeterValuesSampledData", "SampledDataCtrlr", "TxUpdatedMeasurands", _MEASURANDS, "string", readonly=True),
        Variable(
            "TransactionMessageAttempts",
            "OCPPCommCtrlr",
            "MessageAttempts",
            str(attempts),
            "integer",
            True,
            "TransactionEvent",
        ),
        Variable(
            "TransactionMessageRetryInterval",
            "OCPPCommCtrlr",
            "MessageAttemptInterval",
            str(int(retry_interval)),
            "integer",
            True,
            "TransactionEvent",
        ),
        Variable("NumberOfConnectors", None, None, str(connectors), "integer", readonly=True),
        Variable("AuthorizeRemoteTxRequests", "AuthCtrlr", "AuthorizeRemoteStart", "false", "boolean"),
        Variable("StopTransactionOnInvalidId", "TxCtrlr", "StopTxOnInvalidId", "true", "boolean"),
        Variable("StopTransactionOnEVSideDisconnect", "TxCtrlr", "StopTxOnEVSideDisconnect", "true", "boolean", readonly=True),
        Variable("SupportedFeatureProfiles", None, None, _FEATURES, "string", readonly=True),
        Variable("ReserveConnectorZeroSupported", "ReservationCtrlr", "NonEvseSpecific", "true", "boolean", readonly=True),
        Variable(None, "ReservationCtrlr", "Enabled", "true", "boolean", readonly=True),
        Variable("ChargeProfileMaxStackLevel", "SmartChargingCtrlr", "ProfileStackLevel", str(MOST_STACK_LEVEL), "integer", True),
        Variable("ChargingScheduleAllowedChargingRateUnit", None, None, "Current,Power", "string", readonly=True),
        Variable(None, "SmartChargingCtrlr", "RateUnit", "A,W", "string", readonly=True),
        Variable("ChargingScheduleMaxPeriods", "SmartChargingCtrlr", "PeriodsPerSchedule", str(MOST_PERIODS), "integer", True),
        Variable(
            "MaxChargingProfilesInstalled", "SmartChargingCtrlr", "Entries", str(MOST_PROFILES), "integer", True, "ChargingProfiles"
        ),
        Variable("LocalAuthListEnabled", "LocalAuthListCtrlr", "Enabled", "false", "boolean"),
        Variable("LocalAuthListMaxLength", None, None, str(MOST_ENTRIES), "integer", readonly=True),
        Variable(
            "SendLocalListMaxLength", "LocalAuthListCtrlr", "ItemsPerMessage", str(MOST_PER_MESSAGE), "integer", readonly=True
        ),
        Variable(None, "LocalAuthListCtrlr", "BytesPerMessage", "16384", "integer", readonly=True),
        Variable("LocalAuthorizeOffline", "AuthCtrlr", "LocalAuthorizeOffline", "false", "boolean"),
        Variable("LocalPreAuthorize", "AuthCtrlr", "LocalPreAuthorize", "false", "boolean"),
        Variable(None, "ChargingStation", "AvailabilityState", "Available", "string", readonly=True),
        Variable(None, "ChargingStation", "Model", "Virtual", "string", readonly=True),
        Variable(None, "SecurityCtrlr", "SecurityProfile", "1", "integer", readonly=True),
    ]


_FEATURES = "Core,LocalAuthListManagement,RemoteTrigger,Reservation,SmartCharging"
_MEASURANDS = "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage,SoC"


class Configuration:
    """The settings of one station. Names compare without regard to case, as both standards demand."""

    def __init__(self, *, connectors: int, meter_interval: float, attempts: int, retry_interval: float) -> None:
        self._variables = _table(connectors, meter_interval, attempts, retry_interval)

    def __iter__(self) -> Iterator[Variable]:
        return iter(self._variables)

    def by_key(self, key: str) -> Variable | None:
        return next((v for v in self._variables if v.key is not None and v.key.lower() == key.lower()), None)

    def has_component(self, component: str) -> bool:
        return any(v.component is not None and v.component.lower() == component.lower() for v in self._variables)

    def by_name(self, component: str, variable: str, instance: str | None) -> Variable | None:
        wanted = (component.lower(), variable.lower(), (instance or "").lower())
        return next(
            (
                v
                for v in self._variables
                if v.component is not None
                and v.variable is not None
                and (v.component.lower(), v.variable.lower(), (v.instance or "").lower()) == wanted
            ),
            None,
        )

    @staticmethod
    def write(variable: Variable, value: str) -> bool:
        """Set the value; False when it is read-only or of the wrong kind."""
        if variable.readonly or not variable.takes(value):
            return False
        variable.value = value
        return True

    def seconds(self, key: str) -> float:
        """An interval of the table, by its 1.6 name."""
        return float(self._named(key).value)

    def switched_on(self, key: str) -> bool:
        """A switch of the table, by its 1.6 name."""
        return self._named(key).value.lower() == "true"

    def set_seconds(self, key: str, value: int) -> None:
        """Set an interval as the CSMS ordered it in an answer."""
        self._named(key).value = str(value)

    def _named(self, key: str) -> Variable:
        variable = self.by_key(key)
        if variable is None:
            raise KeyError(key)
        return variable
