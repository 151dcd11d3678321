"""Who is asked whether a token may charge: a server of the tenant's own over HTTP, or the parties that it roams with (OCPI)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from csms.bus import BusUnavailable
from csms.domain.external import Asks, Fallback, Purpose, Via
from csms.external_authorization.messages import Answered, Question
from csms.store import Connection
from csms.store.queries import external_authorization as queries
from csms.store.queries.external_authorization import NewExternalAuthorization
from csms.store.tenants import CHANGED_TOPIC
from hub.api.fields import Identity, WireNumber
from hub.api.problems import invalid, not_found, too_many
from hub.api.routing import Answer, Call, NoQuery, route
from hub.external_authorization.destinations import LONGEST_URL, BadUrl, check_url, origin
from hub.external_authorization.service import AUTHORIZATION, SIGNING_SECRET, Circuit
from hub.services import Hub

_HEADER_VALUE: Final = r"^[!-~]([ -~]*[!-~])?\Z"

HeaderValue = Annotated[
    str, Meta(min_length=1, max_length=2000, pattern=_HEADER_VALUE, description="Sent as Authorization; never shown again")
]
SigningSecret = Annotated[
    str, Meta(min_length=16, max_length=200, pattern=r"^[!-~]+\Z", description="Key of the request's signature; never shown again")
]


class ExternalAuthorizationInput(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """All settings. A secret that is not named stays as it is, if the URL still leads to the same server; null removes it.

    `url` and the secrets are for `via` http alone.
    """

    via: Via = "http"
    url: Annotated[str, Meta(min_length=9, max_length=LONGEST_URL, description="https://…; asked with POST")] | None = None
    asks: Asks = "unknown_tokens"
    timeout_ms: Annotated[int, Meta(ge=100, le=4000, description="Milliseconds for the whole question")] = 2000
    fallback: Fallback = "own_data"
    cache_s: Annotated[int, Meta(ge=0, le=3600, description="Seconds that an answer for a token at a station is remembered")] = 0
    authorization: HeaderValue | UnsetType | None = UNSET
    signing_secret: SigningSecret | UnsetType | None = UNSET


class ExternalAuthorizationSettings(msgspec.Struct, frozen=True):
    """The settings without their secrets. `circuit`: how it goes, as the process that answers has seen it."""

    via: Via
    url: str | None
    asks: Asks
    timeout_ms: int
    fallback: Fallback
    cache_s: int
    has_authorization: bool
    has_signing_secret: bool
    circuit: Circuit
    created_at: datetime
    updated_at: datetime


class TrialQuestion(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the third party is asked."""

    id_token: Annotated[str, Meta(min_length=1, max_length=255)]
    type: Annotated[str, Meta(min_length=1, max_length=20)] | None = None
    charge_point_id: Identity = "TEST"
    evse_id: WireNumber | None = None
    purpose: Purpose = "authorize"


class TrialOutcome(msgspec.Struct, frozen=True):
    """`status` null: there was no answer, and `failure` says why."""

    status: str | None
    expires_at: datetime | None
    group_id_token: str | None
    reason: str | None
    failure: str | None
    duration_ms: int


async def get_external_authorization(call: Call[NoQuery, None]) -> Answer:
    return Answer(200, _shown(call.hub, call.tenant_id, await _stored(call)))


async def put_external_authorization(call: Call[NoQuery, ExternalAuthorizationInput]) -> Answer:
    hub, body, tenant_id = call.hub, call.body, call.tenant_id
    _check_way(hub, body)
    new = NewExternalAuthorization(
        body.via,
        body.url,
        body.asks,
        body.timeout_ms,
        body.fallback,
        body.cache_s,
        _sealed(hub, tenant_id, AUTHORIZATION, body.authorization) if body.via == "http" else None,
        _sealed(hub, tenant_id, SIGNING_SECRET, body.signing_secret) if body.via == "http" else None,
    )

    async def put(conn: Connection) -> queries.ExternalAuthorization | str:
        known = await queries.get_external_authorization(conn, tenant_id, lock=True)
        if known is not None and known.url is not None and new.url is not None and origin(known.url) != origin(new.url):
            # else whoever may change the URL could have the stored secrets sent to a server of his own
            if known.authorization_sealed is not None and new.authorization_sealed is UNSET:
                return "authorization"
            if known.signing_secret_sealed is not None and new.signing_secret_sealed is UNSET:
                return "signing_secret"
        return await queries.put_external_authorization(conn, tenant_id, new)

    stored = await hub.store.hub.tenant_unit(tenant_id, put)
    if isinstance(stored, str):
        raise invalid(stored, "must be given again, or null, because the URL leads to another server")
    hub.external_authorization.changed(tenant_id)
    await _tell(hub)
    return Answer(200, _shown(hub, tenant_id, stored))


async def delete_external_authorization(call: Call[NoQuery, None]) -> Answer:
    tenant_id = call.tenant_id
    done = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.delete_external_authorization(conn, tenant_id))
    if not done:
        raise not_found()
    call.hub.external_authorization.changed(tenant_id)
    await _tell(call.hub)
    return Answer(204)


async def try_external_authorization(call: Call[NoQuery, TrialQuestion]) -> Answer:
    hub, body, tenant_id = call.hub, call.body, call.tenant_id
    stored = await _stored(call)
    wait = hub.external_trials.take(tenant_id)
    if wait:
        raise too_many("the third party was tried too often", round(wait))
    question = Question(
        tenant_id,
        body.charge_point_id,
        body.id_token,
        body.purpose,
        hub.clock.now(),
        stored.updated_at,
        body.type,
        body.evse_id,
    )
    begun = hub.clock.monotonic()
    outcome = await hub.external_authorization.test(question, stored)
    duration_ms = round((hub.clock.monotonic() - begun) * 1000)
    if isinstance(outcome, Answered):
        return Answer(
            200, TrialOutcome(outcome.status, outcome.expires_at, outcome.group_id_token, outcome.reason, None, duration_ms)
        )
    return Answer(200, TrialOutcome(None, None, None, None, outcome.failure, duration_ms))


def _check_way(hub: Hub, body: ExternalAuthorizationInput) -> None:
    if body.via == "ocpi":
        for name, given in (("url", body.url), ("authorization", body.authorization), ("signing_secret", body.signing_secret)):
            if isinstance(given, str):
                raise invalid(name, "is for via http alone")
        return
    if body.url is None:
        raise invalid("url", "is missing")
    try:
        check_url(body.url, private=hub.settings.outgoing_private)
    except BadUrl as error:
        raise invalid("url", str(error)) from None


async def _stored(call: Call[NoQuery, None] | Call[NoQuery, TrialQuestion]) -> queries.ExternalAuthorization:
    tenant_id = call.tenant_id
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_external_authorization(conn, tenant_id))
    if found is None:
        raise not_found()
    return found


def _shown(hub: Hub, tenant_id: int, stored: queries.ExternalAuthorization) -> ExternalAuthorizationSettings:
    return ExternalAuthorizationSettings(
        stored.via,
        stored.url,
        stored.asks,
        stored.timeout_ms,
        stored.fallback,
        stored.cache_s,
        stored.authorization_sealed is not None,
        stored.signing_secret_sealed is not None,
        hub.external_authorization.circuit(tenant_id),
        stored.created_at,
        stored.updated_at,
    )


def _sealed(hub: Hub, tenant_id: int, field: str, given: str | UnsetType | None) -> bytes | UnsetType | None:
    return hub.external_sealer.seal(tenant_id, field, given) if isinstance(given, str) else given


async def _tell(hub: Hub) -> None:
    """All gateways know at once; without the bus they do within seconds."""
    try:
        await hub.bus.publish(CHANGED_TOPIC, b"")
    except BusUnavailable:
        pass


ROUTES = (
    route(
        "GET",
        "/api/v1/external-authorization",
        get_external_authorization,
        permission="external_authorization.read",
        answers={200: ExternalAuthorizationSettings},
        tag="External authorization",
        summary="Whom the tenant has asked about tokens, and how it goes",
        description="Not found while it is switched off. Secrets are never shown.",
        problems={404: "it is switched off"},
    ),
    route(
        "PUT",
        "/api/v1/external-authorization",
        put_external_authorization,
        permission="external_authorization.write",
        body=ExternalAuthorizationInput,
        answers={200: ExternalAuthorizationSettings},
        tag="External authorization",
        summary="Switch external authorization on, or change it",
        description=(
            "`asks`: about tokens that the tenant does not know (`unknown_tokens`), or about all (`all_tokens`); what the tenant "
            "itself refuses stays refused. `fallback`: what holds when there is no answer in time: `refuse`, `accept`, or "
            "`own_data`, what the tenant's own data say. With `via` `ocpi` the party of a token is asked in real time, as its "
            "whitelist mode demands: `all_tokens` then means tokens of the mode ALLOWED too, never the tenant's own ones, and "
            "`fallback` holds for tokens that nobody knows."
        ),
    ),
    route(
        "DELETE",
        "/api/v1/external-authorization",
        delete_external_authorization,
        permission="external_authorization.write",
        answers={204: None},
        tag="External authorization",
        summary="Switch external authorization off",
        problems={404: "it is switched off"},
    ),
    route(
        "POST",
        "/api/v1/external-authorization/test",
        try_external_authorization,
        permission="external_authorization.write",
        body=TrialQuestion,
        answers={200: TrialOutcome},
        tag="External authorization",
        summary="Ask the third party once, and see what it answers",
        description="Nothing is authorized by it. At most 10 in a minute.",
        problems={404: "it is switched off", 429: "tried too often"},
    ),
)
