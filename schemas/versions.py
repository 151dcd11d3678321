"""The OCPP versions with their actions, by WebSocket sub-protocol name."""

from dataclasses import dataclass
from typing import Literal

from schemas import ocpp16, ocpp21, ocpp201
from schemas.action import Action

Dialect = Literal["1.6", "2.0.1", "2.1"]


@dataclass(frozen=True, slots=True)
class Version:
    """An OCPP version; `dialect` selects the RPC rules and the spelling of error codes."""

    dialect: Dialect
    actions: dict[str, Action]


VERSIONS: dict[str, Version] = {
    "ocpp1.6": Version("1.6", ocpp16.ACTIONS),
    "ocpp2.0.1": Version("2.0.1", ocpp201.ACTIONS),
    "ocpp2.1": Version("2.1", ocpp21.ACTIONS),
}
