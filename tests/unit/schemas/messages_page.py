"""The pages of the documentation that list all messages and what is done with them: `make pages`.

What can be seen from the code is taken from it: direction, block, purpose, what an example of each message of a station is kept as,
which command of the product becomes which message, and what follows it. The rest is `messages.toml`, by hand.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from csms.domain import commands as domain
from csms.domain import operations
from csms.domain.commands import AnyCommand, Command
from gateway import ocpp16, ocpp21, ocpp201
from gateway.common.routing import RoutedVersion
from gateway.effects import Commit, Refuse
from gateway.versions import UnsupportedCommand
from schemas.action import Action
from schemas.description import block_of, describe
from schemas.versions import VERSIONS
from tests.unit.gateway_versions.messages import OCPP16, OCPP21, OCPP201, STREAM_VALUES
from tests.unit.gateway_versions.support import COMMAND_ID, Station, payload_of

FOLDER: Final = Path(__file__).parents[3] / "docs" / "ocpp"
MODULES: Final = {module.name: module for module in (ocpp16.VERSION, ocpp201.VERSION, ocpp21.VERSION)}
EXAMPLES: Final = {"ocpp1.6": OCPP16, "ocpp2.0.1": OCPP201, "ocpp2.1": OCPP21}
_MOMENT: Final = datetime(2026, 1, 1, tzinfo=UTC)
COMMANDS: Final[tuple[AnyCommand, ...]] = (
    domain.RemoteStart(id_token="T"),
    domain.RemoteStop(transaction_id="1"),
    domain.Reset(),
    domain.UnlockConnector(evse_id=1),
    domain.ChangeAvailability(type="operative"),
    domain.GetConfiguration(),
    domain.ChangeConfiguration(key="k", value="v"),
    domain.GetVariables(variables=[domain.VariableName(component="c", variable="v")]),
    domain.SetVariables(variables=[domain.VariableValue(component="c", variable="v", value="x")]),
    domain.GetBaseReport(),
    domain.TriggerMessage(message="Heartbeat"),
    domain.TriggerMessage(message="LogStatusNotification"),
    domain.ClearCache(),
    domain.DataTransfer(vendor_id="v"),
    domain.ReserveNow(reservation_id=1, id_token="T", expires_at=_MOMENT),
    domain.CancelReservation(reservation_id=1),
    domain.SetChargingProfile(purpose="TxDefaultProfile", unit="W", periods=[domain.LimitPeriod(start=0, limit=Decimal(1))]),
    domain.ClearChargingProfile(profile_id=1),
    domain.GetCompositeSchedule(evse_id=0, duration_s=1),
)
"""Of each command at least one that becomes a message."""

_KEPT: Final[Mapping[type[operations.Operation], str]] = {
    operations.Authorize: "nothing",
    operations.BootStation: "charge point",
    operations.ReportConnectorStatus: "connector",
    operations.RecordMeterValues: "readings",
    operations.StartTransaction: "session",
    operations.StopTransaction: "session",
    operations.RecordTransactionEvent: "session",
    operations.StoreDeviceReport: "device model, event `device_report`",
    operations.OpenEventStream: "event `event_stream_opened`, or `event_stream_refused`",
    operations.CloseEventStream: "event `event_stream_closed`",
    operations.RecordStreamValues: "event `event_stream`",
}

_DIRECTION: Final = re.compile(r" (Station|CSMS|Charge point|Central system) to (station|CSMS|charge point|central system)\.$")

_INTRODUCTION: Final = """\
# The messages of OCPP {dialect}

{count} messages: {up} from charge points, {down} to them. Every one is checked against its definition in both directions, natively
and before anything else looks at it: what a charge point sends and answers, and what is sent and answered to it.
`csms schemas show {dialect} NAME` prints a definition, `csms schemas json {dialect} NAME` its JSON Schema.

This page is made from the code and from one line per message (`make pages`); a test keeps them
in step.

## From charge points

Kept as an *event* means: the whole message, with its time, at `GET /api/v1/chargepoints/{{id}}/events?type=…`; one that names a
command as its cause also at `?command_id=…`. *Sessions* with their readings are at `GET /api/v1/sessions`, the state of a
*charge point* and its *connectors* at `GET /api/v1/chargepoints/{{id}}`. Readings outside of sessions, and the device model, are
stored but not yet shown. Messages that break their definition, and what becomes of those that carry money (€), are in
[tolerance.md](../operations/tolerance.md).
"""

_TO_STATIONS: Final = """\
## To charge points

All are ordered with `POST /api/v1/chargepoints/{{id}}/commands`, raw as `{{"action": "{example}", "payload": {{…}}}}`. Some have
a form of the product's own, the same for all versions: `{{"command": "reset", "parameters": {{…}}}}`. A payload that breaks its
definition does not leave, an answer that breaks it fails the command. The command holds the answer; it counts as accepted if
the status says that the station has done, or will do, what it was told. *Follows* names the messages that are tied to the
command by an id.
"""


def page(version: str) -> str:
    """The text of the page of one version, by sub-protocol name."""
    definition = VERSIONS[version]
    actions = definition.actions.values()
    lines = _lines(definition.dialect)
    up = [action for action in actions if action.from_station]
    down = [action for action in actions if action.from_csms]
    kept, causes = _kept(version)
    ordered = _ordered(MODULES[version])
    follows: dict[str, list[str]] = defaultdict(list)
    for action, commands in causes.items():
        for command in commands:
            follows[command].append(action)
    numbers = {"dialect": definition.dialect, "count": len(actions), "up": len(up), "down": len(down)}
    text = [_INTRODUCTION.format_map(numbers)]
    text += ["| message | what it is | what is done with it | kept as |", "|---|---|---|---|"]
    text += [
        f"| {_name(version, action)} | {_purpose(version, action)} | {lines['from_station'][action.name]} | {kept[action.name]} |"
        for action in up
    ]
    text += ["", _TO_STATIONS.format(example=down[0].name)]
    text += ["| message | what it is | command | follows | to know |", "|---|---|---|---|---|"]
    text += [
        f"| {_name(version, action)} | {_purpose(version, action)} | {ordered.get(action.name, 'raw')} "
        f"| {', '.join(follows[action.name])} | {lines['from_csms'][action.name]} |"
        for action in down
    ]
    return "\n".join(text) + "\n"


def path(version: str) -> Path:
    return FOLDER / f"messages-{VERSIONS[version].dialect}.md"


def written() -> dict[str, dict[str, Any]]:
    """The lines written by hand: of actions by direction."""
    return tomllib.loads(Path(__file__).with_name("messages.toml").read_text())


def _lines(dialect: str) -> dict[str, dict[str, str]]:
    """The lines written by hand that hold for one version."""
    return {
        direction: {action: line if isinstance(line, str) else line.get(dialect, "") for action, line in lines.items()}
        for direction, lines in written().items()
    }


def _name(version: str, action: Action) -> str:
    marks = " €" if action.billing else ""
    return f"{action.name}{marks} ({_block(action)})"


def _block(action: Action) -> str:
    """The letter of a functional block, or the name of a feature profile."""
    block = block_of(action)
    if block.startswith("functional block "):
        return block.removeprefix("functional block ").partition(":")[0]
    return block.removeprefix("feature profile ") if block.startswith("feature profile ") else "security"


def _purpose(version: str, action: Action) -> str:
    """The first lines of the definition, without the direction, which the section tells."""
    text = " ".join(describe(version, action.name).request.purpose.split())
    return _DIRECTION.sub("", text)


def _kept(version: str) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """What each message of a station is kept as, and the commands that may have caused it."""
    module, kept, causes = MODULES[version], {}, {}
    for name, example in EXAMPLES[version].items():
        effect = module.handle(Station(version), name, payload_of(example))
        if isinstance(effect, Refuse):
            raise AssertionError(f"{name} is refused: {effect.description}")
        operation = effect.operation if isinstance(effect, Commit) else None
        kept[name] = "nothing" if operation is None else _name_of(operation)
        causes[name] = getattr(operation, "caused_by", ())
    for name in (action.name for action in VERSIONS[version].actions.values() if action.send):
        operation = module.handle_send(Station(version), name, payload_of(STREAM_VALUES))
        assert operation is not None
        kept[name] = _name_of(operation)
    return kept, causes


def _name_of(operation: operations.Operation) -> str:
    if isinstance(operation, operations.RecordStationEvent | operations.RecordDeviceEvents):
        return f"event `{operation.type}`"
    return _KEPT[type(operation)]


def _ordered(module: RoutedVersion) -> dict[str, str]:
    """The product's own command for each message that has one."""
    found = {}
    for command in COMMANDS:
        with suppress(UnsupportedCommand):
            action, _ = module.to_call(command, COMMAND_ID, Station(module.name))
            found[action] = f"`{_tag(command)}`"
    return found


def _tag(command: Command) -> str:
    return str(command.__struct_config__.tag)
