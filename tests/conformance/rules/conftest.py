"""Gateways that do at once what they do every few seconds."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of the system's own leave, sessions in doubt are looked for, and signs of life are told, every moment."""
    monkeypatch.setattr("gateway.mailbox.TRUTH_SWEEP_S", 0.1)
    monkeypatch.setattr("gateway.sweeper.RECONCILE_EVERY_S", 0.1)
    monkeypatch.setattr("gateway.sweeper.SEEN_EVERY_S", 0.2)
    monkeypatch.setattr("gateway.sweeper.TICK_S", 0.05)
