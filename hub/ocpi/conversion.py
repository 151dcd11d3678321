"""Requests and answers of a connection, into the terms of 2.2.1 and out of them: what other versions need is done here.

Where the version is that of our model, and nobody with a newer one may be behind it, nothing is converted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from csms.roaming.partners import Partner
from csms.store import Connection
from csms.store.queries.ocpi_conversion import number_of_reservation, remember_shown, shown_tokens, tokens_of
from csms.store.queries.ocpi_objects import Document, ObjectKey, get_objects
from hub.ocpi import versions
from hub.ocpi.message import OcpiProblem, OcpiRequest, OcpiResponse, not_found, plain
from hub.ocpi.services import Ocpi
from hub.ocpi.versions import ourselves
from schemas.ocpi221.base import OcpiObject, Remark, fold
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import MessageHeaders, Party
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES
from schemas.ocpi221.writing import document
from schemas.ocpi_versions.port import (
    CannotSend,
    Context,
    Needs,
    NotOffered,
    OwnNumbers,
    UnknownObject,
    VersionAdapter,
    VersionRequest,
)

_STANDARD: Final = FUNCTIONAL_MODULES | {"hubclientinfo"}
_NOWHERE: Final = Party("XX", "XXX")
"""A side that no party is known of; nothing is owned by it."""


_TEXTS: Final = OwnNumbers()


@dataclass(frozen=True, slots=True)
class Reservations:
    """Towards a partner whose version has numbers only. `numbers`: by the ids that were looked up, folded.

    A partner's own numbers tell its reservations apart from one another; what passes our hub is told apart from those of others as
    well, by the name of `party` before the number.
    """

    party: Party
    at_hub: bool
    numbers: Mapping[str, int]

    def number(self, reservation_id: str) -> int | None:
        return self.numbers.get(fold(reservation_id))

    def reservation_id(self, number: int) -> str:
        text = _TEXTS.reservation_id(number)
        return f"{self.party.country_code}{self.party.party_id}-{text}" if self.at_hub else text


class Conversion:
    """Of one request and its answer, on the connection with one partner."""

    def __init__(self, ocpi: Ocpi, partner: Partner, adapter: VersionAdapter, ours: Party, *, at_hub: bool) -> None:
        self._ocpi = ocpi
        self._partner = partner
        self._adapter = adapter
        self._ours = ours
        self._at_hub = at_hub

    def concerns(self, request: OcpiRequest) -> bool:
        """Whether `request` is one of the standard's; modules of others pass as they are (V5)."""
        return request.module in _STANDARD or (request.module, request.role) in self._adapter.modules

    # -- a partner asks us

    async def request_up(self, request: OcpiRequest) -> tuple[OcpiRequest, tuple[Remark, ...]]:
        """A partner's request, in our terms. Raises OcpiProblem, Unreadable, StoreUnavailable."""
        adapter, theirs, headers = self._adapter, self._party(request.headers.from_party), request.headers
        given = _part(request)
        context = self._context(theirs, headers.to_party)
        context = await self._informed(adapter.request_needs_up(given, context), context)
        try:
            converted = adapter.request_up(given, context)
        except NotOffered as error:
            raise OcpiProblem(StatusCode.CLIENT_ERROR, str(error), http_status=405) from None
        except UnknownObject as error:
            raise not_found(str(error) or "there is no such object") from None
        if not adapter.routed:
            headers = MessageHeaders(
                request_id=headers.request_id,
                correlation_id=headers.correlation_id,
                from_party=None if theirs is _NOWHERE else theirs,
            )
        return _whole(request, converted.request, headers), converted.losses

    async def response_down(self, request: OcpiRequest, response: OcpiResponse) -> OcpiResponse:
        """Our answer to `request`, which is in our terms, as the partner's version has it. Raises StoreUnavailable."""
        adapter, asked = self._adapter, _part(request)
        data = _documents(response.data)
        context = self._context(self._party(request.headers.from_party), request.headers.to_party)
        try:
            if response.successful and data is not None:
                context = await self._informed(adapter.response_needs_down(asked, data, context), context)
                converted = adapter.response_down(asked, data, context)
                await self._remember(adapter.tokens_shown(asked, data))
                response = replace(response, data=converted.document, remarks=(*response.remarks, *converted.losses))
        except CannotSend as error:
            return OcpiResponse(
                http_status=404,
                status_code=StatusCode.CLIENT_ERROR,
                status_message=f"OCPI {adapter.version} has no form for this: {error}",
                message=response.message,
                remarks=(Remark(error.field, error.rule, error.text),),
            )
        return response

    # -- we ask a partner

    async def request_down(self, request: OcpiRequest) -> tuple[OcpiRequest, tuple[Remark, ...]]:
        """Our request as the partner's version has it. Raises CannotSend, UnknownObject, StoreUnavailable."""
        adapter, given = self._adapter, _part(replace(request, body=_documents(request.body)))
        context = self._context(self._party(request.headers.to_party), request.headers.from_party)
        context = await self._informed(adapter.request_needs_down(given, context), context)
        converted = adapter.request_down(given, context)
        await self._remember(adapter.tokens_shown(given))
        return _whole(request, converted.request, request.headers), converted.losses

    async def response_up(self, request: OcpiRequest, response: OcpiResponse) -> OcpiResponse:
        """The partner's answer to `request`, which is in our terms, in our terms too. Raises Unreadable, StoreUnavailable."""
        if not response.successful or response.data is None:
            return response
        adapter, asked = self._adapter, _part(request)
        context = self._context(self._party(request.headers.to_party), request.headers.from_party)
        context = await self._informed(adapter.response_needs_up(asked, response.data, context), context)
        converted = adapter.response_up(asked, response.data, context)
        return replace(response, data=converted.document, remarks=(*response.remarks, *converted.losses))

    def _party(self, named: Party | None) -> Party:
        """The party on the other side: the one that a header names, else the only one there is."""
        if named is not None:
            return named
        known = {role.party.folded: role.party for role in self._partner.roles if not role.gone}
        return next(iter(known.values())) if len(known) == 1 else _NOWHERE

    def _context(self, theirs: Party, ours: Party | None) -> Context:
        tenant = self._ocpi.tenants.by_id(self._partner.tenant_id)
        return Context(
            partner=theirs,
            own=ours or self._ours,
            time_zone="UTC" if tenant is None else tenant.time_zone,
            now=self._ocpi.clock.now(),
            reservations=Reservations(theirs, self._at_hub, {}),
        )

    async def _informed(self, needs: Needs, context: Context) -> Context:
        """`context` with what the conversion has to know. Raises StoreUnavailable."""
        if not needs:
            return context
        tenant_id, partner_id = self._partner.tenant_id, self._partner.partner_id
        wanted = {"locations": needs.locations, "tariffs": needs.tariffs, "sessions": needs.sessions}
        keys = [ObjectKey(module, (country, party), one) for module, ids in wanted.items() for country, party, one in ids]

        async def read(conn: Connection) -> Context:
            of: dict[str, list[Document]] = {module: [] for module in wanted}
            for key, stored in (await get_objects(conn, tenant_id, keys)).items():
                of[key.module].append(stored.document)
            tokens: list[Document] = []
            shown: list[Document] = []
            if needs.contract_ids or needs.token_uids:
                tokens = await tokens_of(conn, tenant_id, needs.contract_ids, needs.token_uids)
            if needs.contract_ids:
                shown = await shown_tokens(conn, tenant_id, partner_id, needs.contract_ids)
            numbers = {}
            for one in needs.reservation_ids:
                number = await number_of_reservation(conn, tenant_id, partner_id, context.own.folded, one, _TEXTS.number(one))
                if number is not None:
                    numbers[one] = number
            return replace(
                context,
                locations=of["locations"],
                tariffs=of["tariffs"],
                sessions=of["sessions"],
                tokens=tokens,
                shown=shown,
                reservations=Reservations(context.partner, self._at_hub, numbers),
            )

        return await self._ocpi.store.hub.tenant_unit(tenant_id, read)

    async def _remember(self, shown: Sequence[Document]) -> None:
        """Raises StoreUnavailable."""
        tenant_id, partner_id = self._partner.tenant_id, self._partner.partner_id

        async def write(conn: Connection) -> None:
            for token in shown:
                await remember_shown(conn, tenant_id, partner_id, token)

        if shown:
            await self._ocpi.store.hub.tenant_unit(tenant_id, write)


async def conversion(ocpi: Ocpi, partner: Partner, version: str | None) -> Conversion | None:
    """What converts the messages of a connection in a version; None: nothing has to be. Raises StoreUnavailable, KeyError for a
    version that is not spoken here."""
    adapter = versions.adapter_of(version)
    us = await ourselves(ocpi, partner)
    if adapter.version == versions.OURS and not (us.hub and await _has_newer(ocpi, partner.tenant_id)):
        return None
    chosen = [party for party in us.parties if us.role is None or party.role in (us.role, "HUB")]
    return Conversion(ocpi, partner, adapter, chosen[0].party if chosen else _NOWHERE, at_hub=us.hub)


async def _has_newer(ocpi: Ocpi, tenant_id: int) -> bool:
    """Whether something of a newer version than ours may have come to the tenant."""
    newer = versions.SPOKEN[versions.SPOKEN.index(versions.OURS) + 1 :]
    return any(partner.version in newer for partner in (await ocpi.directory.partners(tenant_id)).values())


def _part(request: OcpiRequest) -> VersionRequest:
    return VersionRequest(
        method=request.method,
        module=request.module,
        role=request.role,
        segments=() if request.url is not None else request.segments,
        query=request.query,
        body=request.body,
    )


def _whole(request: OcpiRequest, part: VersionRequest, headers: MessageHeaders) -> OcpiRequest:
    return OcpiRequest(
        method=part.method,
        module=part.module,
        role=part.role,
        segments=request.segments if request.url is not None else part.segments,
        query=part.query,
        headers=headers,
        body=part.body,
        url=request.url,
    )


def _documents(data: object) -> object:
    """Data of an answer, or a body, as JSON documents."""
    if isinstance(data, OcpiObject):
        return document(data)
    if isinstance(data, list | tuple):
        return [_documents(item) for item in data]
    return plain(data)
