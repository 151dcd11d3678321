"""Tokens of partners among those that the tenant's stations may be shown (csms.store.queries.ocpi_tokens).

One value is one token at a station. So a token whose uid is the tenant's own, or another party's, stays theirs: what its owner
tells is kept as an OCPI object and answered with success, for nothing is wrong with it, but no station will ever hear of it.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from csms.store.pool import Connection
from csms.store.queries.ocpi_tokens import identity_of, put_foreign_tokens
from schemas.ocpi221.base import Remark
from schemas.ocpi221.tokens import Token


async def make_known(conn: Connection, tenant_id: int, tokens: Collection[tuple[UUID, Token]]) -> tuple[Remark, ...]:
    """Have stations accept or refuse tokens as their party says (K2, K4); each with the id that it gets if it is new. Gives remarks
    on those that are somebody else's."""
    known = await put_foreign_tokens(conn, tenant_id, tokens)
    return tuple(
        Remark("uid", "K1", f"{token.uid[:40]!a} is a token of somebody else here: stations do not know this one")
        for _, token in tokens
        if identity_of(token) not in known
    )
