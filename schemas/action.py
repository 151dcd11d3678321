"""One row per OCPP action."""

from dataclasses import dataclass

from schemas.structs import ClosedObject


@dataclass(frozen=True, slots=True)
class Action:
    """An OCPP action: who may call it and which objects it carries.

    `billing` marks the actions whose loss costs money: a refused frame is stored durably before the refusal leaves.
    `send` marks those that go as a SEND of OCPP 2.1, which is never answered: they have no response.
    """

    name: str
    request: type[ClosedObject]
    response: type[ClosedObject] | None
    from_station: bool = False
    from_csms: bool = False
    billing: bool = False
    send: bool = False
