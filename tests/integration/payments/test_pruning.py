"""Tokens that were made for one session do not stay for ever."""

from __future__ import annotations

from functools import partial

from csms.store.maintenance import prune_single_use_tokens
from csms.store.pool import run_with_owner
from tests.integration.payments.harness import Till


async def test_what_was_made_for_one_session_goes_after_its_time(till: Till) -> None:
    tenant_id = await till.field.tenant_id("north")
    for name, kind, single_use, over_days, used_days in (
        ("recent", "dynamic_qr", True, 29, None),
        ("old", "dynamic_qr", True, 31, None),
        ("old-payment", "temporary", True, 31, None),
        ("old-used", "dynamic_qr", True, 31, 31),
        ("ancient-used", "dynamic_qr", True, 401, 401),
        ("card-of-somebody", "iso14443", True, 500, None),
        ("card", "dynamic_qr", False, 500, None),
    ):
        await till.sql(
            "INSERT INTO id_tokens (tenant_id, id_token, type, kind, single_use, valid_until, used_at) "
            "VALUES ($1, $2, 'Central', $3, $4, now() - make_interval(days => $5), now() - make_interval(days => $6::integer))",
            tenant_id,
            name,
            kind,
            single_use,
            over_days,
            used_days,
        )
    count = await run_with_owner(till.hub.dsn, partial(prune_single_use_tokens, days=30))
    left = {row["id_token"] for row in await till.sql("SELECT id_token FROM id_tokens")}
    assert count == 3
    assert left == {"recent", "old-used", "card-of-somebody", "card"}
