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
    *,
    reference: int | str | None = None,
    caused_by: tuple[str, ...] = (),
) -> Commit:
    """Keep the payload as received under `kind`, then answer.

    `reference`: the id by which the message names the command that caused it, one of the actions `caused_by`.
    """
    operation = RecordStationEvent(
        tenant_id=context.tenant_id,
        station_id=context.station_id,
        type=kind,
        data=payload,
        time=time,
        reference=None if reference is None else str(reference),
        caused_by=caused_by,
    )
    return Commit(operation=operation, answer=answer)
