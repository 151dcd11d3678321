"""What state the parts of this process are in: told by the parts, read by /health and the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "degraded", "down"]


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    state: State
    detail: str


class HealthRegistry:
    """Last told state of each component of this process (database, ledger, bus, gateway, hub …)."""

    def __init__(self) -> None:
        self._components: dict[str, ComponentHealth] = {}

    def report(self, component: str, state: State, detail: str = "") -> None:
        self._components[component] = ComponentHealth(state, detail)

    def snapshot(self) -> dict[str, ComponentHealth]:
        return dict(self._components)
