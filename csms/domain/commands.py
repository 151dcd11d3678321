"""Commands to stations in the domain's own terms; each OCPP version module of the gateway translates them.

The `command` name in the API is the snake_case tag of the Struct; `parameters` are its fields.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

Evse = Annotated[int, Meta(ge=0, le=2_147_483_647)]
Positive = Annotated[int, Meta(ge=1, le=2_147_483_647)]
Name = Annotated[str, Meta(min_length=1, max_length=50)]


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="command"):
    """One order to one station."""


class RemoteStart(Command, tag="remote_start", frozen=True, kw_only=True):
    """Start charging for a token. OCPP 1.6 takes the connector, 2.x the EVSE; either name is understood for 1.6."""

    id_token: Annotated[str, Meta(min_length=1, max_length=255)]
    token_type: Annotated[str, Meta(min_length=1, max_length=20)] = "ISO14443"  # noqa: S105 - the kind of a token, no secret
    evse_id: Positive | None = None
    connector_id: Positive | None = None


class RemoteStop(Command, tag="remote_stop", frozen=True, kw_only=True):
    transaction_id: Annotated[str, Meta(min_length=1, max_length=36)]


class Reset(Command, tag="reset", frozen=True, kw_only=True):
    """`soft` ends transactions first (2.x: OnIdle), `hard` does not wait (2.x: Immediate)."""

    type: Literal["soft", "hard"] = "soft"
    evse_id: Positive | None = None


class UnlockConnector(Command, tag="unlock_connector", frozen=True, kw_only=True):
    connector_id: Positive = 1
    evse_id: Positive | None = None


class ChangeAvailability(Command, tag="change_availability", frozen=True, kw_only=True):
    """Without EVSE and connector: the whole station."""

    type: Literal["operative", "inoperative"]
    evse_id: Evse | None = None
    connector_id: Evse | None = None


class GetConfiguration(Command, tag="get_configuration", frozen=True, kw_only=True):
    """OCPP 1.6 configuration keys; none named: all."""

    keys: Annotated[list[Name], Meta(max_length=200)] = []


class ChangeConfiguration(Command, tag="change_configuration", frozen=True, kw_only=True):
    """OCPP 1.6: write one configuration key."""

    key: Name
    value: Annotated[str, Meta(max_length=500)]


class VariableName(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    component: Name
    variable: Name
    component_instance: Name | None = None
    variable_instance: Name | None = None
    evse_id: Positive | None = None
    connector_id: Positive | None = None
    attribute: Literal["Actual", "Target", "MinSet", "MaxSet"] = "Actual"


class VariableValue(VariableName, frozen=True, kw_only=True):
    value: Annotated[str, Meta(max_length=2500)]


class GetVariables(Command, tag="get_variables", frozen=True, kw_only=True):
    """OCPP 2.x device model."""

    variables: Annotated[list[VariableName], Meta(min_length=1, max_length=200)]


class SetVariables(Command, tag="set_variables", frozen=True, kw_only=True):
    variables: Annotated[list[VariableValue], Meta(min_length=1, max_length=200)]


class GetBaseReport(Command, tag="get_base_report", frozen=True, kw_only=True):
    """OCPP 2.x; the report itself follows in NotifyReport messages. `request_id` is made up when absent."""

    report_base: Literal["ConfigurationInventory", "FullInventory", "SummaryInventory"] = "FullInventory"
    request_id: Evse | None = None


class TriggerMessage(Command, tag="trigger_message", frozen=True, kw_only=True):
    """Ask for one message now; `message` in the words of the station's OCPP version."""

    message: Name
    evse_id: Positive | None = None
    connector_id: Positive | None = None


class ClearCache(Command, tag="clear_cache", frozen=True, kw_only=True):
    """Empty the station's authorization cache."""


class DataTransfer(Command, tag="data_transfer", frozen=True, kw_only=True):
    vendor_id: Annotated[str, Meta(min_length=1, max_length=255)]
    message_id: Name | None = None
    data: Any = None


AnyCommand = (
    RemoteStart
    | RemoteStop
    | Reset
    | UnlockConnector
    | ChangeAvailability
    | GetConfiguration
    | ChangeConfiguration
    | GetVariables
    | SetVariables
    | GetBaseReport
    | TriggerMessage
    | ClearCache
    | DataTransfer
)

QUEUEABLE: Final = frozenset(
    {
        "change_availability",
        "get_configuration",
        "change_configuration",
        "get_variables",
        "set_variables",
        "get_base_report",
        "trigger_message",
        "clear_cache",
        "data_transfer",
        "reset",
        "remote_start",
    }
)
"""Commands that may wait for an absent station when the caller asks for it (a time to live). The others are refused at once."""

DEFAULT_TIME_TO_LIVE: Final = timedelta(seconds=60)
"""How long a command may wait for its turn at a connected station."""
