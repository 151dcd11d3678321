"""Tokens of other parties among the tenant's id tokens: stations may be offered them, and their sessions belong to those parties.

One row stands for one token. What stations show is `id_token` with `type`, the type of OCPP 2.x; `ocpi_type` is the owner's.
`label` holds the owner's spelling of the uid where ours is another one (contracts have one spelling, `csms.domain.token_identity`).

A uid that a station cannot take (OCPP 1.6 has 20 characters) is stood for by an alias: a single-use token with the owner of the
other, which is its parent. A session with an alias is one of the parent's token.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final, get_args
from uuid import UUID

import msgspec

from csms.domain.token_identity import CONTRACT, canonical
from csms.qr_tokens import TYPE as MADE_HERE
from csms.store.pool import Connection
from csms.store.unnest import RowType
from schemas.ocpi221.base import fold
from schemas.ocpi221.tokens import Token, WhitelistType

ALIAS_KIND: Final = "ocpi_alias"

TokenIdentity = tuple[str, str, str, str]
"""(country code, party id, uid, OCPI type), the first three folded (K1)."""


class ForeignToken(msgspec.Struct, frozen=True):
    """A row of another party's token. Codes in capitals; `parent_token_id`: it is an alias of that one."""

    token_id: UUID
    id_token: str
    type: str
    country_code: str
    party_id: str
    ocpi_type: str | None
    status: str
    whitelist: WhitelistType
    label: str | None = None
    parent_token_id: UUID | None = None

    @property
    def uid(self) -> str:
        """As its owner spells it."""
        return self.label or self.id_token

    @property
    def key(self) -> str:
        """What stations' words are looked up by; the token_key of ocpi_authorizations."""
        return self.id_token.lower()


_COLUMNS: Final = (
    "t.token_id, t.id_token, t.type, t.owner_country_code, t.owner_party_id, t.ocpi_type, t.status, t.whitelist, "
    "CASE WHEN t.kind IS DISTINCT FROM 'ocpi_alias' THEN t.label END, t.parent_token_id"
)
_ROW: Final = RowType(
    (
        ("token_id", "uuid"),
        ("id_token", "text"),
        ("type", "text"),
        ("label", "text"),
        ("status", "text"),
        ("blocked_reason", "text"),
        ("contract_id", "text"),
        ("visual_id", "text"),
        ("issuer", "text"),
        ("group_id_token", "text"),
        ("language", "text"),
        ("whitelist", "text"),
        ("owner_country_code", "text"),
        ("owner_party_id", "text"),
        ("ocpi_type", "text"),
    )
)
_NAMES: Final = ", ".join(name for name, _ in _ROW.columns)
WITHDRAWN: Final = "its party has withdrawn it"
"""blocked_reason of a token whose party says that it is not valid. With any other it is blocked by an operator, which its party
cannot undo."""
_BY_OPERATOR: Final = f"t.retired_at IS NULL AND t.status = 'blocked' AND t.blocked_reason IS DISTINCT FROM '{WITHDRAWN}'"
_TAKEN_OVER: Final = ", ".join(
    f"{name} = CASE WHEN {_BY_OPERATOR} THEN t.{name} ELSE excluded.{name} END"
    if name in ("status", "blocked_reason")
    else f"{name} = excluded.{name}"
    for name, _ in _ROW.columns
    if name not in ("token_id", "type")
)
_TOLD: Final = RowType(
    (
        ("country_code", "text"),
        ("party_id", "text"),
        ("object_id", "text"),
        ("kind", "text"),
        ("last_updated", "timestamptz"),
    )
)
_VALUE: Final = RowType((("token_key", "text"), ("type", "text"), ("country_code", "text"), ("party_id", "text")))

_TYPES: Final = {"EMAID": CONTRACT, "APP_USER": MADE_HERE, "AD_HOC_USER": MADE_HERE, "OTHER": MADE_HERE}
_KNOWN_TYPES: Final = frozenset({"RFID", *_TYPES})
_VICINITY_CARD: Final = re.compile(r"E0[0-9A-F]{14}\Z", re.IGNORECASE)
"""ISO 15693-3: 8 bytes, of which the first is E0."""
_LONGEST_CONTRACT: Final = 36
_LANGUAGE: Final = re.compile(r"[a-z]{2}\Z")
_WHITELISTS: Final = frozenset(get_args(WhitelistType))


def station_type(uid: str, ocpi_type: str) -> str:
    """The type of OCPP 2.x as which a station reads a token of this OCPI type."""
    if ocpi_type == "RFID":
        return "ISO15693" if _VICINITY_CARD.match(uid) else "ISO14443"
    return _TYPES.get(ocpi_type, MADE_HERE)


async def put_foreign_token(conn: Connection, tenant_id: int, token_id: UUID, token: Token) -> ForeignToken | None:
    """Make the token of another party known to the tenant, or bring what is known of it up to date; `token_id` is for a new row.

    As for `put_foreign_tokens`; None: the same token is the tenant's own, or another party's.
    """
    put = await put_foreign_tokens(conn, tenant_id, [(token_id, token)])
    return put.get(identity_of(token))


async def put_foreign_tokens(
    conn: Connection, tenant_id: int, tokens: Collection[tuple[UUID, Token]]
) -> dict[TokenIdentity, ForeignToken]:
    """Make tokens of other parties known, whatever way they came (pushed, pulled, with a command, with an authorization); each with
    the id that it gets if it is new. Gives the rows by what the tokens are to their owner.

    A token that is not valid is blocked (K2). What came is only taken over if the tenant was not told of a newer state before
    (ocpi_objects, module tokens); whoever stores objects there may do it before or after. A token that is missing in what is given
    was not taken: the same value is a token of the tenant's own, or of another party. Tokens that were only seen on the wire and
    retired ones become the party's.
    """
    if not tokens:
        return {}
    newest: dict[tuple[str, str], tuple[UUID, Token]] = {}
    for token_id, token in tokens:
        place = _place(token)
        held = newest.get(place)
        if held is None or held[1].last_updated <= token.last_updated:
            newest[place] = (token_id, token)
    stale = await _stale(conn, tenant_id, [token for _, token in newest.values()])
    fresh = sorted(
        (place, token_id, token) for place, (token_id, token) in newest.items() if identity_of(token) not in stale
    )  # one order for all: two who write never wait for one another
    if fresh:
        await conn.execute(
            f"INSERT INTO id_tokens AS t (tenant_id, {_NAMES}) "
            f"SELECT ${len(_ROW.columns) + 1}, {', '.join('n.' + name for name, _ in _ROW.columns)} FROM {_ROW.source('n')} "
            f"ON CONFLICT (tenant_id, lower(id_token), type) DO UPDATE SET {_TAKEN_OVER}, retired_at = NULL, updated_at = now(), "
            "kind = NULL, valid_from = NULL, valid_until = NULL, user_type = NULL, group_id = NULL, restrictions = NULL "
            "WHERE (t.owner_country_code, t.owner_party_id) IS NOT DISTINCT FROM "
            "(excluded.owner_country_code, excluded.owner_party_id) AND t.parent_token_id IS NULL "
            "OR (t.retired_at IS NOT NULL OR t.status = 'unknown') AND NOT t.single_use",
            *_ROW.parameters(_row(token_id, token) for _, token_id, token in fresh),
            tenant_id,
        )
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM {_VALUE.source('k')} JOIN id_tokens t "
        "ON t.token_key = k.token_key AND t.type = k.type AND t.owner_country_code = k.country_code "
        f"AND t.owner_party_id = k.party_id WHERE t.tenant_id = ${len(_VALUE.columns) + 1} AND t.parent_token_id IS NULL",
        *_VALUE.parameters((*place, *_owner(token)) for place, (_, token) in newest.items()),
        tenant_id,
    )
    found = {(row[1].lower(), row[2]): ForeignToken(*row) for row in rows}
    return {identity_of(token): found[place] for place, (_, token) in newest.items() if place in found}


async def put_alias(
    conn: Connection, tenant_id: int, token_id: UUID, code: str, of: ForeignToken, valid_until: datetime
) -> ForeignToken:
    """A token of our own making that stands for another party's in one session. `code`: csms.qr_tokens.random_code."""
    row = await conn.fetchrow(
        "INSERT INTO id_tokens AS t (tenant_id, token_id, id_token, type, kind, label, valid_until, whitelist, single_use, "
        "parent_token_id, owner_country_code, owner_party_id, ocpi_type, contract_id) "
        f"SELECT $1, $2, $3, $4, '{ALIAS_KIND}', left(p.id_token, 100), $5, 'ALWAYS', true, p.token_id, p.owner_country_code, "
        "p.owner_party_id, p.ocpi_type, p.contract_id FROM id_tokens p WHERE p.tenant_id = $1 AND p.token_id = $6 "
        f"RETURNING {_COLUMNS}",
        tenant_id,
        token_id,
        code,
        MADE_HERE,
        valid_until,
        of.token_id,
    )
    if row is None:
        raise LookupError("INSERT returned no row")
    return ForeignToken(*row)


class KeptPlace(msgspec.Struct, frozen=True):
    """A place that is kept for a token. `told`: as what its station knows it; `evse_id` None: any of the station's."""

    station_id: int
    evse_id: int | None
    told: ForeignToken


async def find_kept_places(conn: Connection, tenant_id: int, token_id: UUID, station_ids: Collection[int]) -> list[KeptPlace]:
    """Those that are kept for a token, or for an alias of it that is still good, at these stations; the newest first."""
    rows = await conn.fetch(
        f"SELECT r.station_id, r.evse_id, {_COLUMNS} FROM reservations r JOIN id_tokens t ON t.tenant_id = r.tenant_id "
        "AND t.token_key = lower(r.id_token) AND t.type = r.id_token_type "
        "WHERE r.tenant_id = $1 AND r.station_id = ANY($3::bigint[]) AND r.status = 'active' "
        "AND $2 IN (t.token_id, t.parent_token_id) AND (t.used_at IS NULL OR NOT t.single_use) ORDER BY r.created_at DESC LIMIT 10",
        tenant_id,
        token_id,
        list(station_ids),
    )
    return [KeptPlace(row[0], row[1], ForeignToken(*list(row)[2:])) for row in rows]


async def find_foreign_tokens(
    conn: Connection, tenant_id: int, keys: Collection[str], token_type: str | None
) -> list[ForeignToken]:
    """Tokens of other parties by what they are looked up by; `token_type` None: of any type."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM id_tokens t WHERE t.tenant_id = $1 AND t.token_key = ANY($2::text[]) "
        "AND ($3::text IS NULL OR t.type = $3) AND t.owner_country_code IS NOT NULL AND t.retired_at IS NULL "
        "ORDER BY t.created_at LIMIT 10",
        tenant_id,
        list(keys),
        token_type,
    )
    return [ForeignToken(*row) for row in rows]


async def withdrawn_by_party(conn: Connection, tenant_id: int, token_id: UUID) -> bool:
    """Whether the party whose token it is says that it is not valid (K2)."""
    found = await conn.fetchval(
        "SELECT lower(o.document ->> 'valid') = 'false' FROM id_tokens t JOIN ocpi_objects o ON o.tenant_id = t.tenant_id "
        "AND o.module = 'tokens' AND o.country_code = lower(t.owner_country_code) AND o.party_id = lower(t.owner_party_id) "
        "AND o.object_id = lower(coalesce(t.label, t.id_token)) AND o.kind = t.ocpi_type "
        "WHERE t.tenant_id = $1 AND t.token_id = $2",
        tenant_id,
        token_id,
    )
    return found is True


async def find_own_tokens(conn: Connection, tenant_id: int, keys: Collection[str]) -> list[UUID]:
    """Tokens of the tenant's own by what they are looked up by, retired ones too."""
    rows = await conn.fetch(
        "SELECT token_id FROM id_tokens WHERE tenant_id = $1 AND token_key = ANY($2::text[]) AND owner_country_code IS NULL "
        "LIMIT 20",
        tenant_id,
        list(keys),
    )
    return [row[0] for row in rows]


def identity_of(token: Token) -> TokenIdentity:
    """What a token is to its owner (K1)."""
    return fold(token.country_code), fold(token.party_id), fold(token.uid), token.type


async def _stale(conn: Connection, tenant_id: int, tokens: Iterable[Token]) -> set[TokenIdentity]:
    """Those of which a newer state is known."""
    rows = await conn.fetch(
        f"SELECT n.country_code, n.party_id, n.object_id, n.kind FROM {_TOLD.source('n')} JOIN ocpi_objects o "
        "USING (country_code, party_id, object_id, kind) "
        f"WHERE o.tenant_id = ${len(_TOLD.columns) + 1} AND o.module = 'tokens' AND o.last_updated > n.last_updated",
        *_TOLD.parameters((*identity_of(token), token.last_updated) for token in tokens),
        tenant_id,
    )
    return {(row[0], row[1], row[2], row[3]) for row in rows}


def _spelling(token: Token) -> tuple[str, str]:
    kind = station_type(token.uid, token.type)
    return canonical(token.uid, kind), kind


def _place(token: Token) -> tuple[str, str]:
    """What no two rows have in common."""
    spelling, kind = _spelling(token)
    return spelling.lower(), kind


def _owner(token: Token) -> tuple[str, str]:
    return token.country_code.upper(), token.party_id.upper()


def _row(token_id: UUID, token: Token) -> tuple[Any, ...]:
    spelling, kind = _spelling(token)
    known_type = token.type if token.type in _KNOWN_TYPES else "OTHER"
    # a mode that we do not know is taken for the strictest (B10)
    whitelist = token.whitelist if token.whitelist in _WHITELISTS else "NEVER"
    language = token.language if token.language and _LANGUAGE.match(token.language) else None
    return (
        token_id,
        spelling,
        kind,
        token.uid if token.uid != spelling else None,
        "accepted" if token.valid else "blocked",
        None if token.valid else WITHDRAWN,
        token.contract_id if len(token.contract_id) <= _LONGEST_CONTRACT else None,
        token.visual_number[:64] if token.visual_number else None,
        token.issuer[:64] or None,
        token.group_id,
        language,
        whitelist,
        *_owner(token),
        known_type,
    )
