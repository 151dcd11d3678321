"""Dynamic QR codes: each stands for an id token, for one session and a short time."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import msgspec
import segno
from msgspec import Meta

from csms.domain.restrictions import Restrictions
from csms.qr_tokens import KIND, TYPE
from csms.store import Connection
from csms.store.queries import id_tokens as queries
from csms.store.queries.id_tokens import IdToken, IdTokenFields, ReferenceMissing
from csms.store.queries.stations import get_station
from hub.api.fields import Identity
from hub.api.problems import conflict, invalid, not_found, too_many
from hub.api.routing import Answer, Call, Document, NoQuery, route

_TRIES: Final = 3
"""A code that was drawn before within the same second is drawn again."""
_ERROR_CORRECTION: Final = "q"
"""A quarter of the code may be dirty."""
_SCALE: Final = 8


class NewQrToken(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    id_token_id: Annotated[UUID, Meta(description="The id token that it stands for: whose session it will be")]
    valid_for_s: Annotated[int, Meta(ge=10, le=86_400, description="Seconds within which the session must begin")] = 300
    charge_point_id: Identity | None = None
    evse_id: Annotated[int, Meta(ge=1, le=2_147_483_647, description="With a charge point only")] | None = None


class QrToken(msgspec.Struct, frozen=True):
    """`code` is what the QR code holds and the station sends as id token; `id_token` is its entry among the id tokens."""

    code: str
    expires_at: datetime
    id_token: IdToken


async def issue_qr_token(call: Call[NoQuery, NewQrToken]) -> Answer:
    hub, body, tenant_id = call.hub, call.body, call.tenant_id
    if body.evse_id is not None and body.charge_point_id is None:
        raise invalid("evse_id", "needs a charge_point_id")
    wait = hub.qr_issuing.take(tenant_id)
    if wait:
        raise too_many("too many QR codes were made in this minute", round(wait))
    now = hub.clock.now()
    expires_at = now.replace(microsecond=0) + timedelta(seconds=body.valid_for_s)

    async def make(conn: Connection) -> IdToken:
        await _check(conn, tenant_id, body, now)
        place = Restrictions(
            charge_points=() if body.charge_point_id is None else (body.charge_point_id,),
            evse_ids=() if body.evse_id is None else (body.evse_id,),
        )
        fields = IdTokenFields(
            kind=KIND,
            valid_until=expires_at,
            whitelist="NEVER",
            restrictions=None if body.charge_point_id is None else place,
            single_use=True,
            parent_token_id=body.id_token_id,
        )
        for _ in range(_TRIES):
            code = hub.qr_codes.issue(tenant_id, expires_at, hub.ids)
            made = await queries.insert_token(conn, tenant_id, hub.ids.uuid7(), code, TYPE, fields)
            if made is not None:
                return made
        raise conflict("no unused code was found; try again")

    try:
        made = await hub.store.hub.tenant_unit(tenant_id, make)
    except ReferenceMissing:
        raise invalid("id_token_id", "is not a token that stands for itself") from None
    location = f"/api/v1/qr-tokens/{made.token_id}.svg"
    return Answer(201, QrToken(made.id_token, expires_at, made), {"Location": location, "Cache-Control": "no-store"})


async def draw_qr_token(call: Call[NoQuery, None]) -> Document:
    tenant_id, token_id = call.tenant_id, call.uuid("id")
    token = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_token(conn, tenant_id, token_id))
    if token is None or token.kind != KIND or not token.single_use or token.valid_until is None:
        raise not_found()
    if token.used_by_session_id is not None:
        raise conflict("the code was used already")
    if token.valid_until <= call.hub.clock.now():
        raise conflict("the time of the code is over")
    out = io.BytesIO()
    segno.make_qr(token.id_token, error=_ERROR_CORRECTION).save(out, kind="svg", scale=_SCALE)
    return Document(out.getvalue(), "image/svg+xml", {"Cache-Control": "no-store"})


async def _check(conn: Connection, tenant_id: int, body: NewQrToken, now: datetime) -> None:
    """Raises Problem 422 for what could never charge."""
    parent = await queries.get_token(conn, tenant_id, body.id_token_id)
    if parent is None:
        raise invalid("id_token_id", "is not an id token")
    if parent.single_use:
        raise invalid("id_token_id", "is itself for one session only")
    if parent.status != "accepted":
        raise invalid("id_token_id", f"is {parent.status}")
    if parent.valid_until is not None and parent.valid_until <= now:
        raise invalid("id_token_id", "is past its time")
    if body.charge_point_id is not None and await get_station(conn, tenant_id, body.charge_point_id) is None:
        raise invalid("charge_point_id", "is not a charge point")


ROUTES = (
    route(
        "POST",
        "/api/v1/qr-tokens",
        issue_qr_token,
        permission="id_tokens.write",
        body=NewQrToken,
        answers={201: QrToken},
        tag="Id tokens",
        summary="Make a dynamic QR code",
        description="Its 20 characters are what a station sends as id token. It is signed, ends by itself, and the first session "
        "uses it up; the verdict and the restrictions of the token that it stands for hold as well. `Location` is its picture.",
        problems={409: "no code could be made now", 429: "too many codes in this minute"},
    ),
    route(
        "GET",
        "/api/v1/qr-tokens/{id}.svg",
        draw_qr_token,
        permission="id_tokens.read",
        answers={200: str},
        media_type="image/svg+xml",
        tag="Id tokens",
        summary="The picture of a dynamic QR code",
        description="By the `token_id` of its entry.",
        problems={409: "it was used already, or its time is over"},
    ),
)
