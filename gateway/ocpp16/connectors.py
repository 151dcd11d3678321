"""Connector numbers of OCPP 1.6: connector n is EVSE n with one connector, 0 is the charge point itself."""

from __future__ import annotations

from gateway.versions import UnsupportedCommand


def wire_connector(evse_id: int | None, connector_id: int | None) -> int | None:
    """The connector a command means, whichever way it was named; None when it names none.

    Raises UnsupportedCommand when the two names are different numbers.
    """
    if evse_id is not None and connector_id is not None and evse_id != connector_id:
        raise UnsupportedCommand(
            f"evse_id {evse_id} and connector_id {connector_id} are two connectors in OCPP 1.6: give connector_id alone"
        )
    return evse_id if connector_id is None else connector_id
