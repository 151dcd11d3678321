"""What state the parts of this process are in: told by the parts, read by /health and the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

NEEDED: Final = frozenset({"gateway", "ledger", "database", "postgresql"})
"""Components without which a process takes no stations; without the others it serves with less."""

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

    @property
    def serving(self) -> bool:
        """True while this process takes stations."""
        return all(told.state == "ok" for name, told in self.snapshot().items() if name in NEEDED)
