"""What a 2.0.1 station's answer to a command amounts to."""

from __future__ import annotations

from typing import Final

from gateway.common import results
from gateway.versions import Verdict
from schemas.ocpp201.provisioning import SetVariablesResponse
from schemas.wire import decode

_TAKEN: Final = frozenset({"Accepted", "RebootRequired"})


def verdict(action: str, payload: bytes) -> Verdict:
    """SetVariables has a status per variable: `accepted` only if the station took them all."""
    if action == "SetVariables":
        written = decode(payload, SetVariablesResponse).set_variable_result
        return "accepted" if all(result.attribute_status in _TAKEN for result in written) else "rejected"
    return results.verdict(action, payload)
