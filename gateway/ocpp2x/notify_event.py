"""NotifyEvent: events of monitors and of the hardware (N07, N08), and states of connectors (G01)."""

from __future__ import annotations

from typing import Final, get_args

from csms.domain.operations import RecordDeviceEvents, ReportConnectorStatus
from csms.domain.times import parse_station_time
from gateway.common.answers import empty_answer
from gateway.common.station_events import record
from gateway.effects import Commit, Effect
from gateway.versions import StationContext
from schemas.ocpp21 import diagnostics as ocpp21
from schemas.ocpp201 import diagnostics as ocpp201
from schemas.ocpp201.enums import ConnectorStatusEnumType

KIND: Final = "device_event"
STATUSES_MAX: Final = 100
"""Connectors whose state one message may tell: the last ones count."""

_STATUSES: Final = frozenset(get_args(ConnectorStatusEnumType))


def handle(context: StationContext, request: ocpp201.NotifyEventRequest | ocpp21.NotifyEventRequest, payload: bytes) -> Effect:
    """Kept as one event of the station, dated by when this part of the report was made.

    A station may tell the state of a connector here instead of in a StatusNotification, which is the same.
    """
    time = parse_station_time(request.generated_at)
    statuses = _connector_statuses(context, request)
    if not statuses:
        return record(context, KIND, payload, time)
    operation = RecordDeviceEvents(
        tenant_id=context.tenant_id,
        station_id=context.station_id,
        type=KIND,
        data=payload,
        time=time,
        statuses=statuses,
    )
    return Commit(operation=operation, answer=empty_answer)


def _connector_statuses(
    context: StationContext, request: ocpp201.NotifyEventRequest | ocpp21.NotifyEventRequest
) -> list[ReportConnectorStatus]:
    """The last state of each connector that the message tells one of. Names are compared without regard to case."""
    found: dict[tuple[int, int], ReportConnectorStatus] = {}
    for event in request.event_data:
        evse = event.component.evse
        if event.variable.name.lower() != "availabilitystate" or event.component.name.lower() != "connector" or evse is None:
            continue
        if evse.connector_id is None or evse.id < 0 or evse.connector_id < 0 or event.actual_value not in _STATUSES:
            continue
        key = (evse.id, evse.connector_id)
        found.pop(key, None)
        found[key] = ReportConnectorStatus(
            tenant_id=context.tenant_id,
            station_id=context.station_id,
            evse_id=evse.id,
            connector_id=evse.connector_id,
            status=event.actual_value,
            time=parse_station_time(event.timestamp),
        )
    return list(found.values())[-STATUSES_MAX:]
