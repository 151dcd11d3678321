"""What is known of the token of a session: for its price, its record, and when to end it."""

from __future__ import annotations

from uuid import UUID

import msgspec

from csms.domain.known_tokens import KnownToken
from csms.domain.restrictions import NO_LIMITS, SessionLimits
from csms.domain.restrictions import session_limits as tightest
from csms.domain.token_identity import contract_key, lookup_key
from csms.store.known_tokens import load_known_tokens
from csms.store.pool import Connection


class TokenFacts(msgspec.Struct, frozen=True):
    """`user_type` is the token's own, else that of the nearest group which has one; `group_ids` are nearest first; `parent`: of
    the token that this one stands for; `owner`: country code and id of the party whose token it is, None for the tenant's own."""

    token_id: UUID
    id_token: str
    kind: str | None
    contract_id: str | None
    issuer: str | None
    user_type: str | None
    group_ids: tuple[UUID, ...]
    parent: TokenFacts | None
    owner: tuple[str, str] | None = None


async def token_facts(conn: Connection, tenant_id: int, id_token: str, id_token_type: str | None) -> TokenFacts | None:
    """None for a token that nobody knows. One that is retired is still known: its sessions are."""
    token = await _find(conn, tenant_id, id_token, id_token_type)
    return None if token is None else _facts(token)


async def session_limits(conn: Connection, tenant_id: int, id_token: str, id_token_type: str | None) -> SessionLimits:
    """The tightest limits of the token, of all groups above it, and of the token that it stands for."""
    token = await _find(conn, tenant_id, id_token, id_token_type)
    if token is None:
        return NO_LIMITS
    return tightest(restrictions for member in token.family for _, restrictions in member.held_by())


async def _find(conn: Connection, tenant_id: int, id_token: str, id_token_type: str | None) -> KnownToken | None:
    """The token of a session, which names no type when its station did not: of several the one that is in use, then the oldest."""
    keys = [lookup_key(id_token, id_token_type), id_token.lower(), contract_key(id_token, id_token_type)]
    wanted = {(tenant_id, key) for key in keys if key is not None}
    known = await load_known_tokens(conn, wanted)
    fitting = [t for tokens in known.values() for t in tokens if id_token_type in (None, t.type)]
    return min(fitting, key=lambda t: (t.retired, t.key != keys[0], t.type, str(t.token_id)), default=None)


def _facts(token: KnownToken) -> TokenFacts:
    if token.token_id is None:
        raise LookupError("a token that is stored has an id")
    return TokenFacts(
        token.token_id,
        token.id_token,
        token.kind,
        token.contract_id,
        token.issuer,
        token.charged_as,
        tuple(group.group_id for group in token.groups),
        None if token.parent is None else _facts(token.parent),
        token.owner,
    )
