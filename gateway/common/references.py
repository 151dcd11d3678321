"""By which id what follows a command names it: in the command's payload, and in the messages that follow (rule T10).

The actions of all versions have one table, because an action that several versions have means the same in each. 1.6 gives an id
to uploads of logs and to signed firmware only; TriggerMessage and the settings have none in any version.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

_PATHS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "CancelReservation": (("reservationId",),),
    # 1.6, then 2.x
    "ClearChargingProfile": (("id",), ("chargingProfileId",)),
    "CustomerInformation": (("requestId",),),
    "GetBaseReport": (("requestId",),),
    "GetChargingProfiles": (("requestId",),),
    "GetDERControl": (("requestId",),),
    "GetDisplayMessages": (("requestId",),),
    "GetLog": (("requestId",),),
    "GetMonitoringReport": (("requestId",),),
    "GetReport": (("requestId",),),
    "PublishFirmware": (("requestId",),),
    "RequestBatterySwap": (("requestId",),),
    "RequestStartTransaction": (("remoteStartId",),),
    # 1.6, then 2.x
    "ReserveNow": (("reservationId",), ("id",)),
    # 1.6, then 2.x
    "SetChargingProfile": (("csChargingProfiles", "chargingProfileId"), ("chargingProfile", "id")),
    "SetDERControl": (("controlId",),),
    "SignedUpdateFirmware": (("requestId",),),
    "UpdateFirmware": (("requestId",),),
    "UsePriorityCharging": (("transactionId",),),
}
"""Where the id is in the payload of a CALL of ours."""

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def reference_of(action: str, payload: bytes) -> str | None:
    """The id in the payload of a valid CALL of ours by which what follows will name it; None when it has none."""
    paths = _PATHS.get(action)
    if paths is None:
        return None
    message = _decode(payload)
    return next((found for path in paths if (found := _at(message, path)) is not None), None)


def _at(message: Any, path: tuple[str, ...]) -> str | None:
    for member in path:
        message = message.get(member)
        if message is None:
            return None
    return str(message)
