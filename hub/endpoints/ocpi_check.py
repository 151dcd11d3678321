"""Looks whether a partner's platform keeps to OCPI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from csms.external_authorization.sealing import Unreadable
from csms.roaming.parties import OPPOSITE, OwnParty
from csms.roaming.partners import Partner
from hub.api.problems import conflict, not_found, too_many
from hub.api.routing import Answer, Call, NoQuery, route
from hub.ocpi.conformance.examine import examine
from hub.ocpi.conformance.probe import Limits, Target
from hub.ocpi.conformance.report import CheckReport
from hub.ocpi.platform import PARTNER_TOKEN, encoding_for
from hub.ocpi.services import Ocpi

LIMITS: Final = Limits(requests=300, seconds=25.0, request_s=10.0)
"""A request to the API is over after 30 s; `csms ocpi check` takes its time."""


async def check_partner(call: Call[NoQuery, None]) -> Answer:
    ocpi = call.hub.ocpi.ocpi
    partner_id = call.uuid("id")
    partner = await ocpi.directory.partner(call.tenant_id, partner_id)
    if partner is None:
        raise not_found()
    target = await _target(ocpi, partner)
    wait = call.hub.ocpi_checks.take(call.tenant_id)
    if wait:
        raise too_many("partners were checked too often", round(wait))
    return Answer(200, await examine(ocpi.client, ocpi.clock, ocpi.ids, target, LIMITS))


async def _target(ocpi: Ocpi, partner: Partner) -> Target:
    if not partner.registered or partner.token_sealed is None or partner.versions_url is None:
        raise conflict(f"the partner is {partner.status}: there is no connection to check")
    try:
        token = ocpi.sealer.open(partner.tenant_id, PARTNER_TOKEN, partner.token_sealed)
    except Unreadable:
        raise conflict("the token for this partner cannot be read: register it again") from None
    own = (await ocpi.directory.parties()).of_tenant(partner.tenant_id)
    sender = _sender(own, partner)
    return Target(
        versions_url=partner.versions_url,
        token=token,
        encoding=encoding_for(partner),
        sender=None if sender is None else sender.party,
    )


def _sender(own: Sequence[OwnParty], partner: Partner) -> OwnParty | None:
    """The party of ours that has to do with one of the partner's."""
    wanted = {role for theirs in partner.roles for role in OPPOSITE[theirs.role]}
    return next((party for party in own if party.role in wanted), next(iter(own), None))


ROUTES = (
    route(
        "POST",
        "/api/v1/ocpi/partners/{id}/check",
        check_partner,
        permission="ocpi.write",
        answers={200: CheckReport},
        tag="Roaming",
        summary="Look whether a partner's platform keeps to OCPI 2.2.1",
        description=(
            "Asks all that can be asked without changing anything there, within 25 seconds, and reports point by point. `passed`: "
            "no point failed and all could be tried. `csms ocpi check` does the same and takes its time."
        ),
        problems={409: "there is no connection with the partner", 429: "partners were checked too often"},
    ),
)
