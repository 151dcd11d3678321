"""Tenants with parties and partners on a real database, and requests of those partners, in process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio

from csms.bus.local import LocalBus
from csms.clock import SystemClock, SystemIds
from csms.commands import CommandService
from csms.limits import SharedLimits
from csms.roaming.parties import OwnParty, OwnRole, PartnerRole
from csms.roaming.partners import Partner, PartnerEndpoint, PartnerSettings
from csms.secret import RootSecret
from csms.settings import load_settings
from csms.store import Connection, open_store
from csms.store.pool import Store, run_with_owner
from csms.store.queries import ocpi_parties, ocpi_partners
from csms.store.tenants import refresh_tenants
from csms.tenants import TenantDirectory
from hub.ocpi.entry import requester_of
from hub.ocpi.message import OcpiRequest, OcpiResponse, plain
from hub.ocpi.own.call import OwnCall
from hub.ocpi.own.table import handle
from hub.ocpi.platform import PARTNER_TOKEN
from hub.ocpi.services import Ocpi
from hub.ocpi.wiring import OcpiPart
from schemas.ocpi221.headers import MessageHeaders, Party
from schemas.ocpi221.interfaces import Method
from schemas.ocpi221.reading import parse
from schemas.ocpi221.types import Role
from schemas.ocpi221.versions import InterfaceRole
from schemas.ocpi221.writing import encode


@dataclass
class Roaming:
    """OCPI of one hub process without its HTTP."""

    dsn: str
    store: Store
    tenants: TenantDirectory
    part: OcpiPart

    @property
    def ocpi(self) -> Ocpi:
        return self.part.ocpi

    async def sql(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        """Run a statement as the owner of the tables."""

        async def work(conn: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in await conn.fetch(statement, *arguments)]

        return await run_with_owner(self.dsn, work)

    async def tenant(self, slug: str, *parties: tuple[str, OwnRole], on_hub: bool = False) -> int:
        """A tenant with parties such as ("NL-OWN", "CPO")."""
        (row,) = await self.sql("INSERT INTO tenants (slug, name) VALUES ($1, $1) RETURNING tenant_id", slug)
        tenant_id = int(row["tenant_id"])
        for code, role in parties:
            country_code, party_id = code.split("-")

            async def work(conn: Connection, names: tuple[str, str, OwnRole] = (country_code, party_id, role)) -> None:
                await ocpi_parties.put_party(conn, tenant_id, *names, {"name": slug}, on_hub=on_hub)

            await self.store.hub.tenant_unit(tenant_id, work)
        await refresh_tenants(self.store.gateway, self.tenants)
        await self.ocpi.directory.changed()
        await self.ocpi.directory.refresh()
        return tenant_id

    async def partner(
        self,
        tenant_id: int,
        *parties: tuple[str, Role],
        settings: PartnerSettings | None = None,
        endpoints: tuple[PartnerEndpoint, ...] = (),
        token: str = "their-token",
    ) -> Partner:
        """A platform that is connected with the tenant."""
        partner_id, now = self.ocpi.ids.uuid7(), self.ocpi.clock.now()
        sealed = self.ocpi.sealer.seal(tenant_id, PARTNER_TOKEN, token)
        roles = [PartnerRole(*code.split("-"), role, partner_id, None, {"name": code}, "CONNECTED", now) for code, role in parties]

        async def work(conn: Connection) -> Partner | None:
            await ocpi_partners.insert_partner(conn, tenant_id, partner_id, parties[0][0], settings or PartnerSettings())
            await ocpi_partners.store_registration(
                conn,
                tenant_id,
                partner_id,
                version="2.2.1",
                versions_url="https://partner.example/versions",
                endpoints=endpoints,
                token_sealed=sealed,
            )
            await ocpi_partners.replace_roles(conn, tenant_id, partner_id, roles)
            return await ocpi_partners.get_partner(conn, tenant_id, partner_id)

        made = await self.store.hub.tenant_unit(tenant_id, work)
        assert made is not None
        await self.ocpi.directory.changed()
        return made

    async def ask(
        self,
        partner: Partner,
        to: OwnParty | str,
        method: Method,
        module: str,
        role: InterfaceRole,
        *segments: str,
        body: Any = None,
        query: dict[str, Any] | None = None,
        as_party: str | None = None,
    ) -> OcpiResponse:
        """What our party `to` (such as "NL-OWN") answers the partner; `body` goes through JSON as over HTTP."""
        party = to if isinstance(to, OwnParty) else self.own(to)
        sender = None if as_party is None else Party(*as_party.split("-"))
        request = OcpiRequest(
            method=method,
            module=module,
            role=role,
            segments=segments,
            query=tuple((name, str(value)) for name, value in (query or {}).items()),
            headers=MessageHeaders(request_id="r", correlation_id="c", to_party=party.party, from_party=sender),
            body=None if body is None else parse(encode(body)),
        )
        call = OwnCall(
            ocpi=self.ocpi,
            tenant_id=party.tenant_id,
            party=party,
            requester=requester_of(partner, request),
            request=request,
            settings=partner.settings,
        )
        answer = await handle(call)
        assert answer.http_status < 500, answer
        return answer

    def own(self, code: str) -> OwnParty:
        country_code, party_id = code.lower().split("-")
        found = self.ocpi.directory.own.find((country_code, party_id))
        assert found is not None
        return found


def data(answer: OcpiResponse) -> Any:
    """The data of a successful answer, as it comes out of JSON."""
    assert answer.successful, answer
    return json.loads(encode(plain(answer.data)))


def rules(answer: OcpiResponse) -> set[str]:
    """The rules that the answer remarks on."""
    return {remark.rule for remark in answer.remarks}


@asynccontextmanager
async def open_roaming(dsn: str, secret: RootSecret, **environment: str) -> AsyncIterator[Roaming]:
    """OCPI without the workers behind it."""
    clock = SystemClock()
    ids = SystemIds(clock)
    settings = load_settings({"CSMS_OUTGOING_PRIVATE": "1", "CSMS_PUBLIC_URL": "https://csms.example", **environment})
    async with open_store(dsn, connections=6) as store, LocalBus() as bus:
        tenants = TenantDirectory(try_out=False)
        await refresh_tenants(store.gateway, tenants)
        part = OcpiPart(
            settings=settings,
            clock=clock,
            ids=ids,
            store=store,
            bus=bus,
            tenants=tenants,
            commands=CommandService(store.hub, bus, clock, ids),
            secret=secret,
            limits=SharedLimits(bus, clock),
        )
        async with part.ocpi.client, trio.open_nursery() as nursery:
            nursery.start_soon(part.ocpi.log.run)
            try:
                yield Roaming(dsn, store, tenants, part)
            finally:
                nursery.cancel_scope.cancel(reason="the test is over")
