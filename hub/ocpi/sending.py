"""Commands and charging profiles that our eMSP tenants send to CPOs, and the results that come back (digest, 15 and 16)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
import trio

from csms.bus import BusUnavailable
from csms.roaming.commands import Kind
from csms.roaming.parties import OwnParty
from csms.store import Connection, StoreUnavailable
from csms.store.queries import ocpi_commands as queries
from csms.store.queries.ocpi_commands import OPEN, NewOcpiCommand, OcpiCommand
from csms.waiting import wait_for
from hub.ocpi.message import OcpiProblem, OcpiRequest, OcpiResponse, not_found
from hub.ocpi.own.call import OwnCall
from hub.ocpi.services import Ocpi
from schemas.ocpi221.chargingprofiles import ChargingProfileResponse
from schemas.ocpi221.commands import CommandResponse
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import Party
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.reading import read
from schemas.ocpi221.versions import ModuleID

log = structlog.get_logger()

VERSION: Final = "2.2.1"
ANSWER_S: Final = 30.0
"""How long the immediate answer may take."""
LONGEST_S: Final = 3_600
"""Seconds that a partner may name for its result; beyond them it is taken for this."""
MARGIN: Final = timedelta(seconds=5)
"""What a result may take on its way beyond what the partner has named."""
_KEY_BYTES: Final = 24

PROFILES: Final[frozenset[Kind]] = frozenset({"GET_PROFILE", "SET_PROFILE", "CLEAR_PROFILE"})
_CANCELED: Final = "CANCELED_RESERVATION"

MakeRequest = Callable[[str], OcpiRequest]
"""The request, with the response_url that it names."""


def module_of(kind: Kind) -> ModuleID:
    return "chargingprofiles" if kind in PROFILES or kind == "REPORT_PROFILE" else "commands"


def topic_of(command_id: UUID) -> str:
    """Where the end of a command of ours is told."""
    return f"ocpi.command.{command_id}"


async def send_order(
    ocpi: Ocpi,
    sender: OwnParty,
    to: Party,
    kind: Kind,
    make: MakeRequest,
    *,
    requested_by: str,
    message: dict[str, Any],
    session_id: str | None = None,
    reservation_id: str | None = None,
) -> UUID:
    """Send a command and record how it is answered; gives its id. `message`: what is kept of it.

    Once it has begun it goes on whatever happens to the caller. Raises StoreUnavailable; what the partner says is in the record.
    """
    ids, now, tenant_id = ocpi.ids, ocpi.clock.now(), sender.tenant_id
    command_id = ids.uuid7()
    key = base64.urlsafe_b64encode(ids.token(_KEY_BYTES)).decode().rstrip("=")
    correlation_id = str(ids.uuid4())
    path = (key,) if kind in PROFILES else (kind, key)
    version = await _spoken(ocpi, sender, to, kind)
    request = make(ocpi.urls.endpoint(version, module_of(kind), "SENDER", *path))
    new = NewOcpiCommand(
        ocpi_command_id=command_id,
        direction="sent",
        command=kind,
        country_code=to.country_code.upper(),
        party_id=to.party_id.upper(),
        own_country_code=sender.country_code,
        own_party_id=sender.party_id,
        response_key=_hash(key),
        correlation_id=correlation_id,
        request={"body": message},
        session_id=session_id,
        reservation_id=reservation_id,
        status="asked",
        deadline=now + timedelta(seconds=ANSWER_S) + MARGIN,
        requested_by=requested_by,
    )
    with trio.CancelScope(shield=True):  # limited by the time-outs of the units and of the request
        await ocpi.store.hub.tenant_unit(tenant_id, lambda conn: queries.insert_command(conn, tenant_id, new))
        response = await ocpi.outgoing.send(sender, to, request, correlation_id=correlation_id, timeout_s=ANSWER_S)
        word, error, seconds = _read(kind, response)
        deadline = ocpi.clock.now() + timedelta(seconds=seconds) + MARGIN
        await ocpi.store.hub.tenant_unit(
            tenant_id, lambda conn: queries.note_response(conn, tenant_id, command_id, word, error, deadline)
        )
    return command_id


async def wait_for_result(ocpi: Ocpi, tenant_id: int, command_id: UUID, wait_s: float) -> OcpiCommand:
    """The command when it has ended, or as it is after `wait_s` seconds. Raises StoreUnavailable."""

    async def look(deadline: float) -> OcpiCommand:
        found = await ocpi.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_command(conn, tenant_id, command_id))
        if found is None:
            raise LookupError("a command is kept for longer than it takes")
        return found

    return await wait_for(ocpi.bus, topic_of(command_id), look, lambda found: found.status not in OPEN, wait_s)


async def take_result(call: OwnCall, key: str, result: str, message: dict[str, Any]) -> None:
    """The result of a command of ours, from the party that it was sent to (M2, M3, 17.1). Raises OcpiProblem."""
    ocpi, tenant_id = call.ocpi, call.tenant_id

    async def work(conn: Connection) -> UUID:
        command = await queries.find_sent(conn, tenant_id, _hash(key))
        if command is None or module_of(command.command) != call.request.module:
            raise not_found("there is no such command")
        if not call.requester.speaks_for(Party(command.country_code, command.party_id)):
            raise not_found("there is no such command")
        cancelled = command.command == "RESERVE_NOW" and result == _CANCELED and command.result != _CANCELED
        if command.result is not None and not cancelled:
            raise OcpiProblem(StatusCode.INVALID_PARAMETERS, "the result of this command was received before (M2)")
        # a partner that first posts the result and then answers has accepted it
        await queries.set_state(
            conn, tenant_id, command.ocpi_command_id, "done", result=result, result_document=message, response="ACCEPTED"
        )
        return command.ocpi_command_id

    await tell_end(ocpi, await ocpi.store.hub.tenant_unit(tenant_id, work))


async def tell_end(ocpi: Ocpi, command_id: UUID) -> None:
    """Wake whoever waits for a command of ours."""
    try:
        await ocpi.bus.publish(topic_of(command_id), b"")
    except BusUnavailable:
        log.debug("ocpi.end_not_told")


async def _spoken(ocpi: Ocpi, sender: OwnParty, to: Party, kind: Kind) -> str:
    """The version in which the party answers: that of the connection with it, at the hub ours."""
    probe = OcpiRequest(method="POST", module=module_of(kind), role="RECEIVER")
    try:
        partner = await ocpi.outgoing.direct_partner(sender.tenant_id, to, probe)
    except StoreUnavailable:
        return VERSION
    return VERSION if partner is None or partner.version is None else partner.version


def _read(kind: Kind, response: OcpiResponse) -> tuple[str | None, str | None, int]:
    """(the word of the answer, None without one; why it is none, or what goes with it; seconds until the result)."""
    if response.failure is not None:
        return None, response.failure, 0
    said = response.status_message
    try:
        if kind in PROFILES:
            profile = read(ChargingProfileResponse, response.data).value
            return profile.result, said, min(profile.timeout, LONGEST_S)
        answer = read(CommandResponse, response.data).value
    except Unreadable as fault:
        return None, str(fault) if response.successful else f"{response.status_code} {said or ''}".strip(), 0
    texts = "; ".join(text.text for text in answer.message)
    return answer.result, texts or said, min(answer.timeout, LONGEST_S)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
