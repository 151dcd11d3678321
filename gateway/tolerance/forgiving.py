"""Marks the operation of a message with what the message was forgiven."""

from __future__ import annotations

from csms.domain.times import deviations
from csms.domain.tolerance import Relaxation
from gateway import metrics
from gateway.effects import Commit, Effect, Refuse
from gateway.tolerance.deviations import take_deviations
from gateway.tolerance.judge import Spared


def forgive(effect: Effect, spared: Spared | None, ocpp_version: str, action: str, payload: bytes) -> tuple[Relaxation, ...]:
    """What was forgiven to a CALL that had this effect. A commit counts it; for a reply the caller has to."""
    relaxations = () if spared is None else spared.relaxations
    if deviations:
        relaxations += take_deviations(ocpp_version, action, payload)
    if isinstance(effect, Commit):
        effect.operation.relaxations = relaxations
        if spared is not None and spared.doubtful and hasattr(effect.operation, "suspect"):
            effect.operation.suspect = True
    if not isinstance(effect, Refuse):
        tell(relaxations)
    return relaxations


def tell(relaxations: tuple[Relaxation, ...]) -> None:
    """Tell the metrics; the ledger keeps the counts per station."""
    for relaxation in relaxations:
        metrics.RELAXATIONS.labels(relaxation.action, relaxation.rule).inc()
