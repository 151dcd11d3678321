"""Id tokens: what may charge at the tenant's stations."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from csms.domain.restrictions import Restrictions
from csms.store import Connection
from csms.store.queries import id_tokens as queries
from csms.store.queries.id_tokens import NAMES, IdToken, IdTokenFields, ReferenceMissing, TokenFilter, TokenStatus, Whitelist
from csms.store.queries.ocpi_tokens import withdrawn_by_party
from csms.store.queries.restriction_references import find_named
from hub.api.fields import Name, Time, check_time_zone
from hub.api.paging import NIL, Page, PageQuery, page, position
from hub.api.problems import Problem, conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route

TokenText = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[\x20-\x7e]+\Z", description="As the station sends it")]
# the shortest limit of the versions that carry it as it is: OCPP 2.0.1
GroupText = Annotated[str, Meta(min_length=1, max_length=36, pattern=r"^[\x20-\x7e]+\Z", description="What a group is told as")]
TokenType = Annotated[
    Literal["Central", "eMAID", "ISO14443", "ISO15693", "KeyCode", "Local", "MacAddress", "NoAuthorization"],
    Meta(description="OCPP 2.x name; OCPP 1.6 stations name no type. Left out it follows from the kind, else it is ISO14443"),
]
Kind = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=50,
        description="iso14443, mifare, nfc_phone, dynamic_qr, emaid, autocharge, api_key, roaming, temporary, test, "
        "or a word of your own",
    ),
]
VisualId = Annotated[str, Meta(min_length=1, max_length=64, description="What is printed on it")]
Issuer = Annotated[str, Meta(min_length=1, max_length=64)]
ContractId = Annotated[str, Meta(min_length=1, max_length=36, description="Whose contract it is; an eMAID is recommended")]
Language = Annotated[str, Meta(pattern=r"^[a-z]{2}\Z", description="ISO 639-1, of the driver")]
UserType = Annotated[str, Meta(min_length=1, max_length=50, description="For tariffs")]
BlockedReason = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\S", description="For operators; no station is told")]
Settable = Literal["accepted", "blocked"]

_TYPE_OF_KIND: Final[dict[str, TokenType]] = {
    "emaid": "eMAID",
    "autocharge": "MacAddress",
    "dynamic_qr": "Central",
    "api_key": "Central",
}


_OF_FOREIGN_TOKENS: Final = frozenset({"status", "blocked_reason"})


class NewIdToken(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    id_token: TokenText
    type: TokenType | None = None
    kind: Kind | None = None
    label: Name | None = None
    status: Settable = "accepted"
    blocked_reason: BlockedReason | None = None
    valid_from: Time | None = None
    valid_until: Time | None = None
    visual_id: VisualId | None = None
    issuer: Issuer | None = None
    contract_id: ContractId | None = None
    language: Language | None = None
    whitelist: Whitelist = "ALLOWED"
    user_type: UserType | None = None
    group_id: UUID | None = None
    group_id_token: GroupText | None = None
    restrictions: Restrictions | None = None
    single_use: bool = False
    parent_token_id: UUID | None = None


class IdTokenChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is not named stays; null empties. Token and type never change."""

    kind: Kind | UnsetType | None = UNSET
    label: Name | UnsetType | None = UNSET
    status: Settable | UnsetType = UNSET
    blocked_reason: BlockedReason | UnsetType | None = UNSET
    valid_from: Time | UnsetType | None = UNSET
    valid_until: Time | UnsetType | None = UNSET
    visual_id: VisualId | UnsetType | None = UNSET
    issuer: Issuer | UnsetType | None = UNSET
    contract_id: ContractId | UnsetType | None = UNSET
    language: Language | UnsetType | None = UNSET
    whitelist: Whitelist | UnsetType = UNSET
    user_type: UserType | UnsetType | None = UNSET
    group_id: UUID | UnsetType | None = UNSET
    group_id_token: GroupText | UnsetType | None = UNSET
    restrictions: Restrictions | UnsetType | None = UNSET
    single_use: bool | UnsetType = UNSET
    parent_token_id: UUID | UnsetType | None = UNSET


Start = Annotated[
    str, Meta(min_length=1, max_length=64, description="How the token, or what is printed on it, begins, in any case")
]


class IdTokenQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id_token: Annotated[str, Meta(min_length=1, max_length=255, description="The token, in any spelling")] | None = None
    starts_with: Start | None = None
    status: TokenStatus | None = None
    kind: Kind | None = None
    group_id: UUID | None = None
    contract_id: ContractId | None = None


async def list_tokens(call: Call[IdTokenQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    after = position(call, UUID) or NIL
    wanted = TokenFilter(
        id_token=query.id_token,
        starts_with=query.starts_with,
        status=query.status,
        kind=query.kind,
        group_id=query.group_id,
        contract_id=query.contract_id,
    )
    found = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.list_tokens(conn, tenant_id, after, query.limit + 1, wanted)
    )
    return Answer(200, page(call, found, lambda token: token.token_id, lambda token: token))


async def get_token(call: Call[NoQuery, None]) -> Answer:
    tenant_id, token_id = call.tenant_id, call.uuid("id")
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_token(conn, tenant_id, token_id))
    if found is None:
        raise not_found()
    return Answer(200, found)


async def create_token(call: Call[NoQuery, NewIdToken]) -> Answer:
    body, tenant_id = call.body, call.tenant_id
    fields = fields_of(body)
    check_fields(fields)
    token_type = type_of(body)
    token_id = call.hub.ids.uuid7()

    async def create(conn: Connection) -> IdToken | None:
        await check_restrictions(conn, tenant_id, fields.restrictions)
        return await queries.insert_token(conn, tenant_id, token_id, body.id_token, token_type, fields)

    try:
        made = await call.hub.store.hub.tenant_unit(tenant_id, create)
    except ReferenceMissing as error:
        raise missing_reference(error) from None
    if made is None:
        raise conflict("this token, in this or another spelling, exists already")
    return Answer(201, made, {"Location": f"/api/v1/id-tokens/{made.token_id}"})


async def change_token(call: Call[NoQuery, IdTokenChange]) -> Answer:
    body, tenant_id, token_id = call.body, call.tenant_id, call.uuid("id")
    changes = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET}

    async def change(conn: Connection) -> IdToken | None:
        known = await queries.get_token(conn, tenant_id, token_id, lock=True)
        if known is None:
            return None
        if known.owner is not None:
            await _check_foreign(conn, tenant_id, known, changes)
        fields = IdTokenFields(**{name: getattr(known, name) for name in NAMES} | changes)
        if fields.status != "blocked" and "blocked_reason" not in changes:
            fields = msgspec.structs.replace(fields, blocked_reason=None)  # it goes with the block
        check_fields(fields)
        if "restrictions" in changes:
            await check_restrictions(conn, tenant_id, fields.restrictions)
        return await queries.replace_token(conn, tenant_id, token_id, fields)

    try:
        changed = await call.hub.store.hub.tenant_unit(tenant_id, change)
    except ReferenceMissing as error:
        raise missing_reference(error) from None
    if changed is None:
        raise not_found()
    return Answer(200, changed)


async def retire_token(call: Call[NoQuery, None]) -> Answer:
    tenant_id, token_id = call.tenant_id, call.uuid("id")

    async def retire(conn: Connection) -> None:
        known = await queries.get_token(conn, tenant_id, token_id, lock=True)
        if known is None:
            raise not_found()
        if known.owner is not None:
            raise conflict(f"this is a token of {known.owner}: it can only be blocked")
        await queries.retire_token(conn, tenant_id, token_id)

    await call.hub.store.hub.tenant_unit(tenant_id, retire)
    return Answer(204)


async def _check_foreign(conn: Connection, tenant_id: int, known: IdToken, changes: dict[str, Any]) -> None:
    """A token of a partner's is what its party says. It may be blocked here, and no longer be; raises Problem 409 for all else."""
    if not changes.keys() <= _OF_FOREIGN_TOKENS:
        raise conflict(f"this is a token of {known.owner}: only {' and '.join(sorted(_OF_FOREIGN_TOKENS))} can be changed here")
    if changes.get("status") == "accepted" and await withdrawn_by_party(conn, tenant_id, known.token_id):
        raise conflict(f"{known.owner} has withdrawn this token")


def fields_of(body: NewIdToken) -> IdTokenFields:
    return IdTokenFields(**{name: getattr(body, name) for name in NAMES})


def type_of(body: NewIdToken) -> str:
    """Raises Problem 422 when type and kind do not go together."""
    implied = _TYPE_OF_KIND.get(body.kind or "")
    if body.type is None:
        return implied or "ISO14443"
    if body.kind in ("emaid", "autocharge") and body.type != implied:
        raise invalid("type", f"is not {implied}, as the kind {body.kind} is")
    return body.type


def check_fields(fields: IdTokenFields) -> None:
    """Raises Problem 422 for fields that do not go together."""
    if fields.valid_from is not None and fields.valid_until is not None and fields.valid_until <= fields.valid_from:
        raise invalid("valid_until", "is not after valid_from")
    if fields.blocked_reason is not None and fields.status != "blocked":
        raise invalid("blocked_reason", "is for a token that is blocked")
    if fields.restrictions is not None:
        check_time_zone(fields.restrictions.time_zone, "restrictions.time_zone")


async def check_restrictions(conn: Connection, tenant_id: int, restrictions: Restrictions | None) -> None:
    """Raises Problem 422 when they name what is not there."""
    if restrictions is not None:
        missing = (await find_named(conn, tenant_id, [restrictions])).missing(restrictions)
        if missing is not None:
            raise invalid(f"restrictions.{missing}", "names what is not there")


def missing_reference(error: ReferenceMissing) -> Problem:
    field: str = error.args[0]
    what = "is not a token group" if field == "group_id" else "is not a token that stands for itself"
    return invalid(field, what)


ROUTES = (
    route(
        "GET",
        "/api/v1/id-tokens",
        list_tokens,
        permission="id_tokens.read",
        query=IdTokenQuery,
        answers={200: Page[IdToken]},
        tag="Id tokens",
        summary="The tenant's id tokens",
    ),
    route(
        "POST",
        "/api/v1/id-tokens",
        create_token,
        permission="id_tokens.write",
        body=NewIdToken,
        answers={201: IdToken},
        tag="Id tokens",
        summary="Register an id token",
        description="A token that was only seen on the wire so far is taken over. Contracts (eMAID) and vehicles are kept in one "
        "spelling, whatever separators they come with.",
        problems={409: "the token exists, in this or another spelling"},
    ),
    route(
        "GET",
        "/api/v1/id-tokens/{id}",
        get_token,
        permission="id_tokens.read",
        answers={200: IdToken},
        tag="Id tokens",
        summary="One id token",
    ),
    route(
        "PATCH",
        "/api/v1/id-tokens/{id}",
        change_token,
        permission="id_tokens.write",
        body=IdTokenChange,
        answers={200: IdToken},
        tag="Id tokens",
        summary="Change an id token",
        description="Of a partner's token only `status` and `blocked_reason`: all else is what its party says.",
        problems={409: "the token is a partner's"},
    ),
    route(
        "DELETE",
        "/api/v1/id-tokens/{id}",
        retire_token,
        permission="id_tokens.write",
        answers={204: None},
        tag="Id tokens",
        summary="Retire an id token",
        description="It is refused from now on; its sessions stay.",
        problems={409: "the token is a partner's"},
    ),
)
