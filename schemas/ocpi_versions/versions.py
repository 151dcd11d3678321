"""The versions that we speak, the best last."""

from __future__ import annotations

from typing import Final

from schemas.ocpi22.adapter import Adapter22
from schemas.ocpi211.adapter import Adapter211
from schemas.ocpi230.adapter import Adapter230
from schemas.ocpi_versions.port import VersionAdapter
from schemas.ocpi_versions.v221 import Adapter221

ADAPTERS: Final[dict[str, VersionAdapter]] = {
    adapter.version: adapter for adapter in (Adapter211(), Adapter22(), Adapter221(), Adapter230())
}
"""Adapters by version number, in ascending order (V4)."""


def best_of(offered: set[str]) -> str | None:
    """V4: the highest version that a partner offers and we speak; None if there is none."""
    return next((version for version in reversed(ADAPTERS) if version in offered), None)
