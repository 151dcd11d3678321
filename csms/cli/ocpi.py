"""`csms ocpi party`, `hub`, `partner`, `messages`: roaming from the machine itself, also while csms runs.

What is done here is what the API does; a running csms knows it at once where there is Redis, else within seconds.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec
import trio

from csms.cli.buses import open_bus
from csms.cli.database import load_secret, open_database
from csms.cli.failure import CommandError
from csms.clock import SystemClock, SystemIds
from csms.commands import CommandService
from csms.limits import SharedLimits
from csms.roaming.details import BusinessDetails
from csms.roaming.partners import Partner, PartnerSettings
from csms.settings import Settings
from csms.store import Connection, check_schema, open_store
from csms.store.queries import ocpi_messages, ocpi_parties, ocpi_partners
from csms.store.queries.auth import find_tenant
from csms.store.queries.ocpi_messages import Message, MessageFilter
from csms.store.queries.ocpi_parties import HUB_SLUG, NoHubSlug, PartyTaken
from csms.store.tenants import refresh_tenants
from csms.tenants import TenantDirectory
from hub.ocpi.registration import administration, starting
from hub.ocpi.registration.administration import Invitation
from hub.ocpi.registration.handshake import Failed
from hub.ocpi.registration.starting import Unfit
from hub.ocpi.wiring import OcpiPart

if TYPE_CHECKING:
    from hub.ocpi.services import Ocpi

Work = Callable[["Ocpi", int], Awaitable[None]]

_NIL: Final = UUID(int=0)
_MOST_PARTNERS: Final = 10_000
_LONGEST_TOKEN: Final = 64


def list_parties(arguments: Namespace) -> int:
    async def work(ocpi: Ocpi, tenant_id: int) -> None:
        for party in await ocpi.store.hub.tenant_unit(tenant_id, lambda conn: ocpi_parties.list_parties(conn, tenant_id)):
            where = ("" if party.on_hub else "  not on the hub") + ("" if party.leaving_since is None else "  leaving")
            print(f"{party.country_code}-{party.party_id}  {party.role:4}  {party.business_details['name']}{where}")

    return _run(arguments, work)


def set_party(arguments: Namespace) -> int:
    async def work(ocpi: Ocpi, tenant_id: int) -> None:
        country_code, party_id = arguments.party
        await administration.put_party(
            ocpi, tenant_id, country_code, party_id, arguments.role, _details(arguments), on_hub=not arguments.not_on_hub
        )
        _say(f"{country_code}-{party_id} is a party of {arguments.tenant} as {arguments.role}")

    return _run(arguments, work)


def remove_party(arguments: Namespace) -> int:
    async def work(ocpi: Ocpi, tenant_id: int) -> None:
        country_code, party_id = arguments.party
        if not await administration.remove_party(
            ocpi, tenant_id, country_code, party_id, arguments.role, at_once=arguments.at_once
        ):
            raise CommandError(f"{country_code}-{party_id} is no party of {arguments.tenant} as {arguments.role}")
        left = await ocpi.store.hub.tenant_unit(tenant_id, lambda conn: ocpi_parties.list_parties(conn, tenant_id))
        leaving = any((one.country_code, one.party_id, one.role) == (country_code, party_id, arguments.role) for one in left)
        _say("the party is leaving: it is removed when partners know" if leaving else "the party is removed")

    return _run(arguments, work)


def show_hub(arguments: Namespace) -> int:
    async def work(ocpi: Ocpi, _: int) -> None:
        hub = (await ocpi.directory.parties()).hub
        if hub is None:
            raise CommandError("this installation is no hub; make it one with: csms ocpi hub set")
        print(f"{hub.country_code}-{hub.party_id}  {hub.business_details['name']}  {ocpi.urls.versions()}")

    return _run(arguments, work)


def set_hub(arguments: Namespace) -> int:
    async def work(ocpi: Ocpi, _: int) -> None:
        country_code, party_id = arguments.party
        try:
            await administration.put_hub(ocpi, country_code, party_id, _details(arguments))
        except NoHubSlug:
            raise CommandError(f"the tenant {HUB_SLUG} is an operator, and the hub's tenant must have this id") from None
        _say(f"{country_code}-{party_id} is the hub; its partners are those of --tenant {HUB_SLUG}")

    return _run(arguments, work)


def add_partner(arguments: Namespace) -> int:
    async def work(ocpi: Ocpi, tenant_id: int) -> None:
        if not 1 <= len(arguments.name) <= 100:
            raise CommandError("a name has 1 to 100 characters")
        _invited(await administration.invite(ocpi, tenant_id, arguments.name, PartnerSettings()))

    return _run(arguments, work)


def renew_token(arguments: Namespace) -> int:
    async def work(ocpi: Ocpi, tenant_id: int) -> None:
        partner = await _find(ocpi, tenant_id, arguments.partner)
        invitation = await administration.invite_again(ocpi, tenant_id, partner.partner_id)
        if invitation is not None:
            _invited(invitation)

    return _run(arguments, work)


def list_partners(arguments: Namespace) -> int:
    async def work(ocpi: Ocpi, tenant_id: int) -> None:
        for partner in await _all(ocpi, tenant_id):
            if partner.status != "left" or arguments.left:
                parties = ", ".join(dict.fromkeys(f"{role.country_code}-{role.party_id}" for role in partner.roles))
                print(f"{partner.partner_id}  {partner.status:9}  {partner.version or '-':5}  {partner.name}  {parties}".rstrip())

    return _run(arguments, work)


def show_partner(arguments: Namespace) -> int:
    async def work(ocpi: Ocpi, tenant_id: int) -> None:
        _show(await _find(ocpi, tenant_id, arguments.partner))

    return _run(arguments, work)


def register_partner(arguments: Namespace) -> int:
    token = sys.stdin.readline(_LONGEST_TOKEN + 2).strip() if arguments.token == "-" else arguments.token  # noqa: S105 - a dash
    if not 1 <= len(token) <= _LONGEST_TOKEN or not all("!" <= character <= "~" for character in token):
        raise CommandError(f"a token has 1 to {_LONGEST_TOKEN} printable characters")

    async def work(ocpi: Ocpi, tenant_id: int) -> None:
        _show(await starting.register(ocpi, await _find(ocpi, tenant_id, arguments.partner), arguments.url, token))

    return _run(arguments, work)


def rotate_partner(arguments: Namespace) -> int:
    async def work(ocpi: Ocpi, tenant_id: int) -> None:
        _show(await starting.rotate(ocpi, await _find(ocpi, tenant_id, arguments.partner)))

    return _run(arguments, work)


def refresh_partner(arguments: Namespace) -> int:
    async def work(ocpi: Ocpi, tenant_id: int) -> None:
        _show(await starting.refresh(ocpi, await _find(ocpi, tenant_id, arguments.partner)))

    return _run(arguments, work)


def suspend_partner(arguments: Namespace) -> int:
    async def work(ocpi: Ocpi, tenant_id: int) -> None:
        partner = await _find(ocpi, tenant_id, arguments.partner)
        await administration.suspend(ocpi, tenant_id, partner.partner_id)
        _say("the partner is suspended")

    return _run(arguments, work)


def resume_partner(arguments: Namespace) -> int:
    async def work(ocpi: Ocpi, tenant_id: int) -> None:
        partner = await _find(ocpi, tenant_id, arguments.partner)
        changed = await administration.resume(ocpi, tenant_id, partner.partner_id)
        _say(f"the partner is {'gone' if changed is None else changed.status}")

    return _run(arguments, work)


def remove_partner(arguments: Namespace) -> int:
    async def work(ocpi: Ocpi, tenant_id: int) -> None:
        left = await starting.unregister(ocpi, await _find(ocpi, tenant_id, arguments.partner))
        _say("the partner has left" + ("" if left.failure is None else f", but could not be told: {left.failure}"))

    return _run(arguments, work)


def messages(arguments: Namespace) -> int:
    async def one(ocpi: Ocpi, tenant_id: int) -> None:
        message_id = _uuid(arguments.message)
        found = None
        if message_id is not None:
            found = await ocpi.store.hub.tenant_unit(tenant_id, lambda conn: ocpi_messages.get_message(conn, tenant_id, message_id))
        if found is None:
            raise CommandError(f"there is no message {arguments.message}")
        print(_line(found.message))
        for remark in found.remarks:
            print(f"  {remark['field']}: {remark['text']} ({remark['rule']})")
        for name, body in (("request", found.request), ("response", found.response)):
            print(f"{name}: {'-' if body is None else body}")

    async def some(ocpi: Ocpi, tenant_id: int) -> None:
        partner = None if arguments.partner is None else await _find(ocpi, tenant_id, arguments.partner)
        wanted = MessageFilter(
            partner_id=None if partner is None else partner.partner_id,
            module=arguments.module,
            party=None if arguments.party is None else "-".join(arguments.party),
            correlation_id=arguments.correlation,
            request_id=arguments.request,
            failed=True if arguments.failed else None,
            text=arguments.text,
            since=arguments.since,
            until=arguments.until,
        )
        for message in await ocpi.store.hub.tenant_unit(
            tenant_id, lambda conn: ocpi_messages.list_messages(conn, tenant_id, wanted, None, arguments.limit)
        ):
            print(_line(message))

    return _run(arguments, some if arguments.message is None else one)


def _run(arguments: Namespace, work: Work) -> int:
    async def run() -> None:
        async with _opened(arguments.settings) as ocpi:
            tenant = await ocpi.store.auth.unit(lambda conn: find_tenant(conn, arguments.tenant))
            if tenant is None:
                raise CommandError(f"there is no tenant {arguments.tenant}")
            try:
                await work(ocpi, tenant.tenant_id)
            except PartyTaken:
                raise CommandError("another tenant, or a partner of the hub, is this party in this role") from None
            except Unfit as unfit:
                raise CommandError(str(unfit)) from None
            except Failed as failed:
                raise CommandError(f"{failed.why} (OCPI status {int(failed.status_code)})") from None

    trio.run(run)
    return 0


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[Ocpi]:
    clock = SystemClock()
    ids = SystemIds(clock)
    async with open_database(settings, share=True) as database:
        secret = load_secret(settings)
        await check_schema(database.url, fingerprint=secret.fingerprint())
        async with (
            open_store(
                database.url, gateway_dsn=settings.database_gateway_url, hub_dsn=settings.database_hub_url, connections=2
            ) as store,
            open_bus(settings, ids) as bus,
        ):
            tenants = TenantDirectory(try_out=settings.try_out)
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
                    yield part.ocpi
                finally:
                    nursery.cancel_scope.cancel(reason="the command is done")


async def _all(ocpi: Ocpi, tenant_id: int) -> list[Partner]:
    async def read(conn: Connection) -> list[Partner]:
        return await ocpi_partners.list_partners(conn, tenant_id, _NIL, _MOST_PARTNERS)

    return await ocpi.store.hub.tenant_unit(tenant_id, read)


async def _find(ocpi: Ocpi, tenant_id: int, named: str) -> Partner:
    """A partner by its id or name. Raises CommandError."""
    found = [partner for partner in await _all(ocpi, tenant_id) if named in (partner.name, str(partner.partner_id))]
    if not found:
        raise CommandError(f"there is no partner {named}")
    if len(found) > 1:
        raise CommandError(f"{len(found)} partners are called {named}: name the id")
    return found[0]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _details(arguments: Namespace) -> dict[str, Any]:
    given = {"name": arguments.name} | ({} if arguments.website is None else {"website": arguments.website})
    try:
        details: dict[str, Any] = msgspec.to_builtins(msgspec.convert(given, BusinessDetails))
    except msgspec.ValidationError as error:
        raise CommandError(f"the company cannot be told so: {error}") from None
    return details


def _invited(invitation: Invitation) -> None:
    print(f"partner       {invitation.partner.partner_id}")
    print(f"versions URL  {invitation.versions_url}")
    print(f"token         {invitation.token}")
    _say("the token is shown this once; it is good for a registration only")


def _show(partner: Partner) -> None:
    print(f"{partner.partner_id}  {partner.name}")
    print(f"status    {partner.status} since {partner.status_since:%Y-%m-%d %H:%M:%S}Z")
    print(f"version   {partner.version or '-'}  {partner.versions_url or '-'}")
    for role in partner.roles:
        name = role.business_details.get("name", "")
        print(f"party     {role.country_code}-{role.party_id}  {role.role:4}  {role.status:9}  {name}".rstrip())
    for endpoint in partner.endpoints:
        print(f"endpoint  {endpoint.identifier:16}  {endpoint.role or '-':8}  {endpoint.url}")
    if partner.needs_resync:
        print("something could not be told to it yet")


def _line(message: Message) -> str:
    way = {"in": "<-", "out": "->", "inside": "=="}[message.direction]
    outcome = f"{message.http_status or '-'}/{message.status_code or '-'}"
    between = f"{message.from_party or '-'} {way} {message.to_party or '-'}"
    said = "" if message.status_message is None else f"  {message.status_message}"
    asked = f"{message.method} {message.module} {message.path}".rstrip()
    when = f"{message.recorded_at:%Y-%m-%d %H:%M:%S}"
    return f"{when}  {message.message_id}  {between}  {asked}  {outcome}  {message.duration_ms} ms{said}"


def _say(text: str) -> None:
    print(text, file=sys.stderr)
