"""What the tenant forgives to charge points of which make, and what each of them was forgiven."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.bus import BusUnavailable
from csms.domain.tolerance import LONGEST_PATH, MOST_RULES, Effect, Kind
from csms.store import Connection
from csms.store.queries import stations as station_queries
from csms.store.queries import tolerance as queries
from csms.store.queries.tolerance import NewRule, RelaxationCount, RelaxationPosition, StoredRule
from csms.store.tenants import CHANGED_TOPIC
from hub.api.paging import NIL, Page, PageQuery, page, position
from hub.api.problems import conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.services import Hub
from schemas.versions import VERSIONS

MakeName = Annotated[str, Meta(min_length=1, max_length=50, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*\Z")]
Action = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9]{0,49}\Z", description="OCPP action; null: any")]
Path = Annotated[
    str,
    Meta(
        max_length=LONGEST_PATH,
        pattern=r"^/[^\x00-\x1f\x7f]*\Z",
        description="JSON pointer into the payload; `*` stands for any list index or member; null: anywhere",
    ),
]
OcppVersion = Literal["ocpp1.6", "ocpp2.0.1", "ocpp2.1"]

_FIRST: Final = RelaxationPosition("", "", "", "", "")


class ToleranceRuleInput(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`vendor` and `model` as the charge point says them in its BootNotification, without regard to case. kind `call`: its own
    messages, `answer`: its answers to commands. effect `spare`: a faulty member is taken out and the message handled as if it
    had not been there; `refuse`: the message is refused although the tenant is tolerant."""

    vendor: MakeName
    effect: Effect
    kind: Kind = "call"
    model: MakeName | None = None
    ocpp_version: OcppVersion | None = None
    action: Action | None = None
    path: Path | None = None
    note: Annotated[str, Meta(max_length=500)] | None = None


async def list_tolerance_rules(call: Call[PageQuery, None]) -> Answer:
    tenant_id, limit = call.tenant_id, call.query.limit
    after = position(call, UUID) or NIL
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.list_rules(conn, tenant_id, after, limit + 1))
    return Answer(200, page(call, found, lambda rule: rule.rule_id, lambda rule: rule))


async def create_tolerance_rule(call: Call[NoQuery, ToleranceRuleInput]) -> Answer:
    hub, body, tenant_id = call.hub, call.body, call.tenant_id
    if body.kind == "answer" and body.effect == "refuse":
        raise invalid("effect", "an answer that breaks its schema is refused anyway")
    _check_action(body)
    rule = NewRule(
        rule_id=hub.ids.uuid7(),
        kind=body.kind,
        vendor=body.vendor.strip(),
        model=None if body.model is None else body.model.strip(),
        ocpp_version=body.ocpp_version,
        action=body.action,
        path=body.path,
        effect=body.effect,
        note=body.note,
        created_by=call.caller.label,
    )
    made = await hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.insert_rule(conn, tenant_id, rule))
    if made == "taken":
        raise conflict("there is a rule for exactly this already")
    if made == "full":
        raise conflict(f"a tenant has at most {MOST_RULES} tolerance rules")
    await _tell(hub)
    return Answer(201, made)


async def delete_tolerance_rule(call: Call[NoQuery, None]) -> Answer:
    tenant_id, rule_id = call.tenant_id, call.uuid("id")
    if not await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.delete_rule(conn, tenant_id, rule_id)):
        raise not_found()
    await _tell(call.hub)
    return Answer(204)


async def list_relaxations(call: Call[PageQuery, None]) -> Answer:
    tenant_id, identity, limit = call.tenant_id, call.path["id"], call.query.limit
    after = position(call, RelaxationPosition) or _FIRST

    async def read(conn: Connection) -> list[RelaxationCount] | None:
        station = await station_queries.get_station(conn, tenant_id, identity)
        if station is None:
            return None
        return await queries.list_relaxations(conn, tenant_id, station.station_id, after, limit + 1)

    found = await call.hub.store.hub.tenant_unit(tenant_id, read)
    if found is None:
        raise not_found()
    return Answer(200, page(call, found, _place, lambda relaxation: relaxation))


def _place(relaxation: RelaxationCount) -> RelaxationPosition:
    return RelaxationPosition(relaxation.kind, relaxation.ocpp_version, relaxation.action, relaxation.path, relaxation.rule)


def _check_action(body: ToleranceRuleInput) -> None:
    if body.action is None:
        return
    versions = VERSIONS.values() if body.ocpp_version is None else [v for n, v in VERSIONS.items() if n == body.ocpp_version]
    known = [version.actions[body.action] for version in versions if body.action in version.actions]
    if not any(action.from_station if body.kind == "call" else action.from_csms for action in known):
        who = "that a charge point calls" if body.kind == "call" else "that a charge point answers"
        raise invalid("action", f"is no action {who}" + ("" if body.ocpp_version is None else f" in {body.ocpp_version}"))


async def _tell(hub: Hub) -> None:
    """All gateways read the rules at once; without the bus they do within seconds."""
    try:
        await hub.bus.publish(CHANGED_TOPIC, b"")
    except BusUnavailable:
        pass


ROUTES = (
    route(
        "GET",
        "/api/v1/tolerance-rules",
        list_tolerance_rules,
        permission="tolerance_rules.read",
        query=PageQuery,
        answers={200: Page[StoredRule]},
        tag="Tolerance",
        summary="What is forgiven to charge points of which make",
    ),
    route(
        "POST",
        "/api/v1/tolerance-rules",
        create_tolerance_rule,
        permission="tolerance_rules.write",
        body=ToleranceRuleInput,
        answers={201: StoredRule},
        tag="Tolerance",
        summary="Make a tolerance rule",
        description=(
            "The most specific rule that fits a fault decides: one that names a model before one that does not, then one that "
            "names an action, then one that names a path (the fewer `*`, the earlier), then one that names an OCPP version. "
            "Nothing essential of a billing message is ever taken out, and nothing that a message cannot do without."
        ),
        problems={409: "there is a rule for exactly this, or the tenant has all the rules it may have"},
    ),
    route(
        "DELETE",
        "/api/v1/tolerance-rules/{id}",
        delete_tolerance_rule,
        permission="tolerance_rules.write",
        answers={204: None},
        tag="Tolerance",
        summary="Remove a tolerance rule",
    ),
    route(
        "GET",
        "/api/v1/chargepoints/{id}/relaxations",
        list_relaxations,
        permission="chargepoints.read",
        query=PageQuery,
        answers={200: Page[RelaxationCount]},
        tag="Tolerance",
        summary="What a charge point's messages were forgiven, counted",
        description="At most 200 kinds of fault are told apart per charge point; one entry whose parts are `*` counts the rest.",
    ),
)
