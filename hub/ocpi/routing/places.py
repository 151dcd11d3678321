"""Agreements that are for some places only, held against what one party sends another through the hub (R14).

Nothing of another location passes: it is not told, not answered, and ordered nothing at. The hub keeps no copy of what is told one
party (digest 17.2), so it notes in which country a location is that has passed it: later messages about it do not say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import structlog

from csms.roaming.agreements import Scope
from csms.roaming.countries import alpha3, country_of
from csms.roaming.parties import Folded
from csms.roaming.received import usable_id
from csms.roaming.routing import RoutedMessage, location_of, owner_and_party
from csms.store import StoreUnavailable
from csms.store.queries import ocpi_routing as queries
from hub.ocpi.message import OcpiProblem, OcpiResponse, not_found
from hub.ocpi.routing.members import Members
from hub.ocpi.services import Ocpi
from schemas.ocpi221.base import fold
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.merging import listed

log = structlog.get_logger()

MODULE: Final = "locations"
_UNKNOWN: Final = StatusCode.UNKNOWN_LOCATION


class Places:
    """Of one hub process."""

    def __init__(self, ocpi: Ocpi) -> None:
        self._ocpi = ocpi

    async def check(self, members: Members, message: RoutedMessage, sender: Folded, receiver: Folded) -> None:
        """Whether a message about a location may pass. One that asks for it where only the answer tells the country passes: see
        `shown`. Raises OcpiProblem, StoreUnavailable."""
        location_id = location_of(message)
        if location_id is None:
            return
        owner, party = owner_and_party(message.module, message.role, sender, receiver)
        if message.module == MODULE and message.owner is not None:
            owner = message.owner.folded
        scope = members.agreements.scope(party, owner, MODULE)
        if owner == party or not scope.placed:
            return
        allowed = scope.decided(fold(location_id))
        told = message.body if message.module == MODULE and len(message.segments) == 3 and isinstance(message.body, dict) else {}
        country = country_of(told)
        if allowed is None:
            country = country or await self._country(members, owner, location_id)
            allowed = scope.allows(fold(location_id), country) if country else None
        if allowed:
            if country_of(told):
                await self.note(members, owner, party, {location_id: country})
            return
        if message.method == "GET" and allowed is None:
            return
        if message.module == MODULE and message.method != "GET":
            if allowed is None:
                raise not_found("the hub does not know in which country this location is: PUT all of it first", _UNKNOWN)
            raise OcpiProblem(StatusCode.HUB_UNKNOWN_RECEIVER, "no agreement lets OCPI-to have this location")
        raise _no_location(message)

    async def shown(
        self, members: Members, message: RoutedMessage, response: OcpiResponse, owner: Folded, party: Folded
    ) -> OcpiResponse:
        """The answer of `owner` to `party` without what is at other places. Raises OcpiProblem, StoreUnavailable."""
        if (message.module, message.role, message.method) != (MODULE, "SENDER", "GET") or owner == party:
            return response
        scope = members.agreements.scope(party, owner, MODULE)
        if not response.successful or not scope.placed:
            return response
        if not message.segments:
            return await self._list_shown(members, scope, response, owner, party)
        location_id, data = message.segments[0], response.data
        if len(message.segments) == 1:
            country = country_of(data) if isinstance(data, Mapping) else ""
            if not scope.allows(fold(location_id), country):
                raise _no_location(message)
            await self.note(members, owner, party, {location_id: country})
        elif scope.decided(fold(location_id)) is None:
            country = await self._country(members, owner, location_id)
            if not country or not scope.allows(fold(location_id), country):
                raise _no_location(message)
        return response

    async def note(self, members: Members, owner: Folded, party: Folded, countries: Mapping[str, str]) -> None:
        """Where locations are that were shown; only of use where agreements name countries."""
        if not members.agreements.scope(party, owner, MODULE).of_countries:
            return
        known = {fold(location_id): country for location_id, country in countries.items() if country and usable_id(location_id)}
        tenant_id = members.tenant_id
        work = partial(queries.note_places, tenant_id=tenant_id, owner=owner, other=party, countries=known)
        try:
            await self._ocpi.store.hub.tenant_unit(tenant_id, work)
        except StoreUnavailable:
            log.debug("ocpi.places_not_noted")

    async def _list_shown(
        self, members: Members, scope: Scope, response: OcpiResponse, owner: Folded, party: Folded
    ) -> OcpiResponse:
        shown: list[Any] = []
        countries: dict[str, str] = {}
        for location in listed(response.data):
            location_id = location.get("id") if isinstance(location, dict) else None
            if isinstance(location_id, str) and scope.allows(fold(location_id), country_of(location)):
                shown.append(location)
                countries[location_id] = country_of(location)
        await self.note(members, owner, party, countries)
        return replace(response, data=shown)

    async def _country(self, members: Members, owner: Folded, location_id: str) -> str:
        """Alpha-3; empty: nobody has told."""
        if not usable_id(location_id):
            return ""
        tenant_id = members.tenant_id
        found = await self._ocpi.store.hub.tenant_unit(
            tenant_id, lambda conn: queries.country_of_place(conn, tenant_id, owner, fold(location_id))
        )
        return "" if found is None else alpha3(found) or found.upper()


def _no_location(message: RoutedMessage) -> OcpiProblem:
    """As the owner would answer (S3, M1): nobody learns of places that are none of his business."""
    why = "there is no such location"
    return not_found(why, _UNKNOWN) if message.method == "GET" else OcpiProblem(_UNKNOWN, why)
