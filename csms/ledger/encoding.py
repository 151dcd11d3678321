"""JSON for the store."""

from __future__ import annotations

from typing import Any, Final

import msgspec

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number", order="deterministic")


def encode(value: Any) -> bytes:
    """Decimals as numbers, members in a stable order."""
    return _ENCODER.encode(value)
