"""What a station's answer to a command amounts to."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.versions import Verdict

TAKEN: Final = frozenset({"Accepted", "AcceptedCanceled", "RebootRequired", "Scheduled", "Unlocked", "Unpublished"})
"""Statuses by which a station says that it did, or will do, what it was told.

All others are refusals, also those that say that there is nothing: NoProfiles, NoTariff, NotFound, EmptyResultSet, Unknown.
"""

_PER_ITEM: Final = {
    "ClearTariffs": ("clearTariffsResult", "status"),
    "ClearVariableMonitoring": ("clearMonitoringResult", "status"),
    "SetVariableMonitoring": ("setMonitoringResult", "status"),
    "SetVariables": ("setVariableResult", "attributeStatus"),
}
"""Commands that change several things and have a status for each: (the list of the answer, the status of an entry). GetVariables
has one, too, but it changes nothing: it is accepted with what could be read."""


class _Answer(msgspec.Struct, gc=False):
    status: str | None = None


_decode: Final = msgspec.json.Decoder(_Answer).decode
_decode_items: Final = msgspec.json.Decoder(dict[str, Any]).decode


def verdict(action: str, payload: bytes) -> Verdict:
    """`accepted` for a status of `TAKEN`, for answers without a status (GetConfiguration, GetVariables …), and where there is one
    per item only if the station took them all."""
    if action in _PER_ITEM:
        member, status = _PER_ITEM[action]
        return "accepted" if all(item[status] in TAKEN for item in _decode_items(payload)[member]) else "rejected"
    overall = _decode(payload).status
    return "accepted" if overall is None or overall in TAKEN else "rejected"
