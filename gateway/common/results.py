"""What a station's answer to a command amounts to."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.versions import Verdict

TAKEN: Final = frozenset({"Accepted", "AcceptedCanceled", "RebootRequired", "Scheduled", "Unlocked", "Unpublished"})
"""Statuses by which a station says that it did, or will do, what it was told."""


class _Answer(msgspec.Struct, gc=False):
    status: str | None = None


_decode: Final = msgspec.json.Decoder(_Answer).decode


def verdict(_action: str, payload: bytes) -> Verdict:
    """`accepted` for a status of `TAKEN` and for answers without a status (GetConfiguration, GetVariables …)."""
    status = _decode(payload).status
    return "accepted" if status is None or status in TAKEN else "rejected"
