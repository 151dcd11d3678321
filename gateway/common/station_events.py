"""Messages that are kept as facts of the station."""

from __future__ import annotations

from collections.abc import Callable

from csms.domain.operations import RecordStationEvent, StationTime
from gateway.common.answers import empty_answer
from gateway.effects import Commit
from gateway.versions import StationContext


def record(
    context: StationContext,
    kind: str,
    payload: bytes,
    time: StationTime | None = None,
    answer: Callable[[None], bytes] = empty_answer,
) -> Commit:
    """Keep the payload as received under `kind`, then answer."""
    operation = RecordStationEvent(tenant_id=context.tenant_id, station_id=context.station_id, type=kind, data=payload, time=time)
    return Commit(operation=operation, answer=answer)
