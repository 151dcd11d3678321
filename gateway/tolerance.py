"""Saves billing messages that break the schema only where it does not matter (ocpp-j-rules section 3).

Members that nothing depends on are taken out until the rest is valid; the raw frame is kept in quarantine by the caller.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from gateway._native import Catalogue

ESSENTIAL: Final = {
    "StartTransaction": ("/connectorId", "/idTag", "/meterStart", "/timestamp"),
    "StopTransaction": ("/transactionId", "/meterStop", "/timestamp"),
    "MeterValues": ("/connectorId", "/evseId", "/transactionId", "/meterValue"),
    "TransactionEvent": ("/eventType", "/seqNo", "/timestamp", "/transactionInfo/transactionId"),
}
"""What must be readable, by action: none of it, nor what holds it, is ever taken out."""

_MOST_FAULTS: Final = 8
_MISSING: Final = 12
"""The row of the table in section 3 for a required member that is not there: the object that lacks it has to go."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


def without_faulty_members(catalogue: Catalogue, version: str, action: str, payload: bytes) -> bytes | None:
    """The payload without the members that break its schema, or None when something essential is among them."""
    essential = ESSENTIAL.get(action)
    if essential is None:
        return None
    tree = None
    for _ in range(_MOST_FAULTS):
        fault = catalogue.validate(version, action, "request", payload)
        if fault is None:
            return payload
        path = fault.path.rpartition("/")[0] if fault.row == _MISSING else fault.path
        if not path or any(vital == path or vital.startswith(f"{path}/") for vital in essential):
            return None
        if tree is None:
            # numbers as they were sent: meter values are never floats
            tree = json.loads(payload, parse_float=Decimal)
        if not _take_out(tree, path):
            return None
        payload = _encode(tree)
    return None


def _take_out(tree: Any, path: str) -> bool:
    """Remove what a JSON pointer (RFC 6901) points at."""
    *parents, last = (step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/"))
    node = tree
    try:
        for step in parents:
            node = node[int(step)] if isinstance(node, list) else node[step]
        del node[int(last) if isinstance(node, list) else last]
    except (KeyError, IndexError, ValueError, TypeError):
        return False
    return True
