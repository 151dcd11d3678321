"""Our side as the one that starts: registering at a platform, renewing credentials, leaving (C1, C5, C8)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
import trio

from csms.external_authorization.sealing import Unreadable as Unsealable
from csms.roaming.parties import PartnerRole
from csms.roaming.partners import Partner
from csms.store import Connection, StoreUnavailable
from csms.store.queries import ocpi_partners as queries
from csms.store.queries.ocpi_partners import PartyTaken
from hub.external_authorization.destinations import BadUrl
from hub.ocpi import platform, versions
from hub.ocpi.message import OcpiProblem, OcpiResponse
from hub.ocpi.registration import ourselves as our_side
from hub.ocpi.registration.handshake import BUDGET_S, Failed, Line, Offer
from hub.ocpi.registration.parties import check_match, parties_of
from hub.ocpi.registration.storing import Overtaken, store
from hub.ocpi.registration.tokens import new_token
from hub.ocpi.services import Ocpi
from hub.ocpi.versions import Ourselves, ourselves
from schemas.ocpi221.credentials import Credentials
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import TokenEncoding
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi_versions.port import CannotSend

log = structlog.get_logger()

_UNDO_S: Final = 5.0
_ALONE_S: Final = 60
"""Two handshakes with one partner at the same time would leave one side with tokens that the other has thrown away."""


class Unfit(Exception):
    """What was asked for cannot be done in the state that the partner is in."""


@dataclass(frozen=True, slots=True)
class Left:
    """A connection has ended. `failure`: why the other side could not be told; None: it was."""

    failure: str | None


async def register(ocpi: Ocpi, partner: Partner, versions_url: str, token: str) -> Partner:
    """Register at the platform whose versions are at `versions_url`, with the token A that it has given us (C1).

    Raises Failed, Unfit, StoreUnavailable. When it fails nothing is kept, and the token A is still good as far as it is up to us.
    """
    if partner.registered:
        raise Unfit("the partner is registered already: renew its credentials instead")
    if partner.status == "suspended":
        raise Unfit("the partner is suspended")
    us = await _us(ocpi, partner)
    if partner.status == "left":
        partner = await _planned(ocpi, partner)
    with _in_time():
        offer = await _offer(ocpi, partner, us, versions_url, token, await our_side.speakable(ocpi, partner, us))
        async with _announced(ocpi, partner) as ours:
            answer = await _exchange(ocpi, partner, us, offer, "POST", token, ours.token)
            theirs = _credentials(offer, us, answer)
            try:
                roles = _parties(ocpi, partner, us, offer, theirs)
                return await _keep(ocpi, partner, us, offer, theirs, roles, ours)
            except (Failed, PartyTaken) as error:
                await _call_off(ocpi, partner, offer, theirs.token)
                raise Failed(StatusCode.INVALID_PARAMETERS, f"its Credentials cannot be used: {error}") from None
    raise _too_slow()


async def rotate(ocpi: Ocpi, partner: Partner) -> Partner:
    """Renew the tokens of both sides, and read anew what the platform offers, in the highest version that both have now (C5).

    The platform does the same with us, so it learns of new parties and endpoints of ours (V6). Raises Failed, Unfit,
    StoreUnavailable.
    """
    versions_url, token = _known(ocpi, partner)
    us = await _us(ocpi, partner)
    with _in_time():
        offer = await _offer(ocpi, partner, us, versions_url, token, await our_side.speakable(ocpi, partner, us))
        async with _announced(ocpi, partner) as ours:
            ours.kept = True  # if the answer is lost it may be the only one that the platform uses
            try:
                answer = await _exchange(ocpi, partner, us, offer, "PUT", token, ours.token)
            except Failed as failed:
                ours.kept = failed.doubtful
                raise
            theirs = _credentials(offer, us, answer)
            try:
                roles = _parties(ocpi, partner, us, offer, theirs)
                return await _keep(ocpi, partner, us, offer, theirs, roles, ours)
            except (Failed, PartyTaken) as error:
                # both sides use the new tokens already: only what it says of its parties is not taken
                await _keep(ocpi, partner, us, offer, theirs, [role for role in partner.roles if not role.gone], ours)
                raise Failed(
                    StatusCode.INVALID_PARAMETERS, f"the tokens are renewed, its parties stay as they were: {error}"
                ) from None
    raise _too_slow()


async def refresh(ocpi: Ocpi, partner: Partner) -> Partner:
    """Read anew what the platform offers in the version that is used. Raises Failed, Unfit, StoreUnavailable."""
    versions_url, token = _known(ocpi, partner)
    us = await _us(ocpi, partner)
    with _in_time():
        offer = await _offer(ocpi, partner, us, versions_url, token, [partner.version or versions.OURS])
        check_match(us.parties, partner.roles, offer.endpoints)

        async def work(conn: Connection) -> Partner | None:
            await queries.store_endpoints(conn, partner.tenant_id, partner.partner_id, offer.endpoints)
            return await queries.get_partner(conn, partner.tenant_id, partner.partner_id)

        stored = await ocpi.store.hub.tenant_unit(partner.tenant_id, work)
        await ocpi.directory.changed()
        ocpi.client.try_again(partner.tenant_id, partner.partner_id)
        if stored is None:
            raise Unfit("the partner is gone")
        return stored
    raise _too_slow()


async def unregister(ocpi: Ocpi, partner: Partner) -> Left:
    """End the connection (C8): the platform is told if it can be, and is not one of ours any more in any case.

    Raises StoreUnavailable.
    """
    failure = None
    if partner.token_sealed is not None:
        try:
            await _tell_end(ocpi, partner)
        except Failed as failed:
            failure = failed.why

    async def work(conn: Connection) -> None:
        await queries.get_partner(conn, partner.tenant_id, partner.partner_id, lock=True)
        await queries.forget_registration(conn, partner.tenant_id, partner.partner_id)

    await ocpi.store.hub.tenant_unit(partner.tenant_id, work)
    await ocpi.directory.changed()
    return Left(failure)


async def _offer(ocpi: Ocpi, partner: Partner, us: Ourselves, versions_url: str, token: str, spoken: list[str]) -> Offer:
    try:
        ocpi.client.check_url(versions_url)
    except BadUrl as error:
        raise Failed(StatusCode.UNABLE_TO_USE_CLIENT_API, f"its versions URL {error}") from None
    return await Line(ocpi, partner, token).offer(versions_url, spoken, versions.opposite(us.role))


@dataclass(slots=True)
class _Announced:
    """A token for the other side. `kept`: it stays, whatever happens next."""

    token: str
    hashed: bytes
    kept: bool = False


@asynccontextmanager
async def _announced(ocpi: Ocpi, partner: Partner) -> AsyncGenerator[_Announced]:
    """C2: a token B that is good before the other side hears of it, as it calls back during our request.

    It is taken back unless it is kept. Raises Unfit.
    """
    token = new_token(ocpi.ids)
    ours = _Announced(token, ocpi.directory.hash(token))
    tenant_id, partner_id = partner.tenant_id, partner.partner_id
    try:
        alone = await ocpi.store.hub.tenant_unit(
            tenant_id,
            lambda conn: queries.announce_token(conn, tenant_id, partner_id, partner.token_sealed, ours.hashed, _ALONE_S),
        )
        if not alone:
            raise Unfit("another handshake with this partner is under way, or was just now: look, and try again in a minute")
        yield ours
    finally:
        if not ours.kept:
            with trio.CancelScope(shield=True), trio.move_on_after(_UNDO_S):
                await _take_back(ocpi, partner, ours.hashed)


async def _take_back(ocpi: Ocpi, partner: Partner, hashed: bytes) -> None:
    try:
        await ocpi.store.hub.tenant_unit(partner.tenant_id, lambda conn: queries.delete_token(conn, partner.tenant_id, hashed))
        await ocpi.directory.changed()
    except StoreUnavailable:
        log.warning("ocpi.token_not_taken_back", tenant_id=partner.tenant_id, partner_id=str(partner.partner_id))


async def _exchange(ocpi: Ocpi, partner: Partner, us: Ourselves, offer: Offer, method: str, token: str, ours: str) -> OcpiResponse:
    try:
        body = await our_side.credentials(ocpi, us, offer.version, ours)
    except CannotSend as error:
        raise Failed(StatusCode.SERVER_ERROR, f"we cannot be told in {offer.version}: {error}") from None
    line = Line(ocpi, partner, token)
    return await line.send(
        "POST" if method == "POST" else "PUT", offer.credentials_url, body, version=offer.version, encoding=offer.encoding
    )


def _credentials(offer: Offer, us: Ourselves, answer: OcpiResponse) -> Credentials:
    """The Credentials in an answer. Raises Failed."""
    try:
        return versions.adapter_of(offer.version).credentials_up(answer.data, versions.opposite(us.role)).value
    except Unreadable as fault:
        raise Failed(StatusCode.INVALID_PARAMETERS, f"its Credentials cannot be used: {fault}") from None


def _parties(ocpi: Ocpi, partner: Partner, us: Ourselves, offer: Offer, theirs: Credentials) -> tuple[PartnerRole, ...]:
    """The parties in them. Raises Failed."""
    try:
        ocpi.client.check_url(theirs.url)
        roles = parties_of(theirs, partner, us.parties, ocpi.clock.now())
    except (BadUrl, OcpiProblem) as error:
        raise Failed(StatusCode.INVALID_PARAMETERS, f"url: {error}" if isinstance(error, BadUrl) else str(error)) from None
    check_match(us.parties, roles, offer.endpoints)
    return roles


async def _keep(
    ocpi: Ocpi, partner: Partner, us: Ourselves, offer: Offer, theirs: Credentials, roles: Sequence[PartnerRole], ours: _Announced
) -> Partner:
    """Store what came of a handshake. Raises PartyTaken, Unfit, StoreUnavailable."""
    try:
        with trio.CancelScope(shield=True):  # the other side has done its part: it is stored, within the database's own limit
            stored = await store(
                ocpi,
                partner,
                offer,
                versions_url=theirs.url,
                token=theirs.token,
                roles=roles,
                our_role=us.role,
                access=ours.hashed,
                permitted_by=ours.hashed if partner.token_sealed is None else None,
                now=ocpi.clock.now(),
            )
            ours.kept = True
    except Overtaken:
        raise Unfit("another handshake with this partner was done meanwhile") from None
    ocpi.client.try_again(partner.tenant_id, partner.partner_id)
    return stored


async def _call_off(ocpi: Ocpi, partner: Partner, offer: Offer, token: str) -> None:
    try:
        line = Line(ocpi, partner, token)
        await line.send("DELETE", offer.credentials_url, None, version=offer.version, encoding=offer.encoding)
    except Failed as failed:
        log.warning("ocpi.registration_not_called_off", partner_id=str(partner.partner_id), why=failed.why)


async def _tell_end(ocpi: Ocpi, partner: Partner) -> None:
    url = partner.endpoint("credentials", None)
    version = partner.version or versions.OURS
    encoding: TokenEncoding = partner.settings.token_encoding or versions.default_encoding(version)
    if url is None:
        raise Failed(StatusCode.NO_MATCHING_ENDPOINTS, "it has no endpoint credentials")
    with trio.move_on_after(BUDGET_S / 2):
        await Line(ocpi, partner, _opened(ocpi, partner)).send("DELETE", url, None, version=version, encoding=encoding)
        return
    raise Failed(StatusCode.HUB_TIMEOUT, "it did not answer in time")


def _known(ocpi: Ocpi, partner: Partner) -> tuple[str, str]:
    """The versions URL of a registered partner and our token there."""
    if not partner.registered or partner.versions_url is None:
        raise Unfit(f"the partner is {partner.status}")
    try:
        return partner.versions_url, _opened(ocpi, partner)
    except Failed as failed:
        raise Unfit(failed.why) from None


def _opened(ocpi: Ocpi, partner: Partner) -> str:
    if partner.token_sealed is None:
        raise Failed(StatusCode.SERVER_ERROR, "there is no token for it")
    try:
        return ocpi.sealer.open(partner.tenant_id, platform.PARTNER_TOKEN, partner.token_sealed)
    except Unsealable:
        raise Failed(StatusCode.SERVER_ERROR, "the token for it cannot be read: register it again") from None


async def _us(ocpi: Ocpi, partner: Partner) -> Ourselves:
    us = await ourselves(ocpi, partner)
    if not us.parties:
        raise Unfit("the tenant has no party yet")
    return us


async def _planned(ocpi: Ocpi, partner: Partner) -> Partner:
    """One that had left is to be a partner again."""
    tenant_id, partner_id = partner.tenant_id, partner.partner_id

    async def work(conn: Connection) -> Partner | None:
        await queries.set_status(conn, tenant_id, partner_id, "planned")
        return await queries.get_partner(conn, tenant_id, partner_id)

    found = await ocpi.store.hub.tenant_unit(tenant_id, work)
    await ocpi.directory.changed()
    if found is None:
        raise Unfit("the partner is gone")
    return found


def _in_time() -> trio.CancelScope:
    return trio.move_on_after(BUDGET_S)


def _too_slow() -> Failed:
    return Failed(StatusCode.HUB_TIMEOUT, f"the platform did not answer within {BUDGET_S:g} s", doubtful=True)
