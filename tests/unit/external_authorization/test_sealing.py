"""Secrets at rest."""

from __future__ import annotations

import pytest

from csms.clock import SystemClock, SystemIds
from csms.external_authorization.sealing import Sealer, Unreadable

_IDS = SystemIds(SystemClock())


def test_what_is_sealed_is_read_again_by_the_same_key_only_at_its_place() -> None:
    sealer = Sealer(bytes(32), _IDS)
    sealed = sealer.seal(7, "authorization", "Bearer geheim é")
    assert b"geheim" not in sealed
    assert sealer.open(7, "authorization", sealed) == "Bearer geheim é"
    assert sealer.seal(7, "authorization", "Bearer geheim é") != sealed
    for tenant_id, field in ((8, "authorization"), (7, "signing_secret")):
        with pytest.raises(Unreadable):
            sealer.open(tenant_id, field, sealed)
    with pytest.raises(Unreadable):
        Sealer(b"\1" * 32, _IDS).open(7, "authorization", sealed)
    for broken in (b"", sealed[:11], sealed[:-1], sealed[:-1] + bytes([sealed[-1] ^ 1])):
        with pytest.raises(Unreadable):
            sealer.open(7, "authorization", broken)
