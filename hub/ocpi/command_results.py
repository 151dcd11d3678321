"""Posts the results of what partners have asked of our stations, once each, and looks after what may follow (M2, M7, Q2, Q3).

Every hub process does this, for rows that nobody else works on: what is open when a process dies another one goes on with.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, get_args
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import structlog
import trio

from csms.bus import BusUnavailable
from csms.commands import DomainOrder, StationAway, StationRefused, TooManyCommands, UnknownStation
from csms.commands.ends import TOPIC as ENDS_TOPIC
from csms.domain.commands import GetCompositeSchedule
from csms.domain.reservations import Refusal
from csms.reservations.service import Outcome, ReservationService, Why
from csms.reservations.service import Token as ReservedFor
from csms.roaming.commands import active_profile, profile_result_of, result_of, result_of_reservation
from csms.store import Connection, StoreUnavailable
from csms.store.queries import ocpi_commands as queries
from csms.store.queries.ocpi_commands import Due, NewOcpiCommand, OcpiCommand
from csms.store.queries.ocpi_session_ids import id_for_partners
from hub.ocpi.message import OcpiRequest
from hub.ocpi.own.ordering import OURS, TOPIC, label_of
from hub.ocpi.sending import module_of, tell_end
from hub.ocpi.urls import read_path
from schemas.ocpi221.chargingprofiles import ActiveChargingProfileResult, ChargingProfileResult
from schemas.ocpi221.commands import CommandResult
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import Party
from schemas.ocpi221.writing import document

if TYPE_CHECKING:
    from hub.ocpi.routing.router import HubRouter
    from hub.ocpi.services import Ocpi

log = structlog.get_logger()

LOOK_EVERY_S: Final = 1.0
IDLE_S: Final = 5.0
"""How often it is looked when nothing is open: pokes come at once."""
SHORTEST_S: Final = 0.02
LEASE: Final = timedelta(seconds=20)
RENEW_S: Final = 5.0
BATCH: Final = 100
MOST_AT_ONCE: Final = 50
POST_S: Final = 30.0
AGAIN: Final = timedelta(seconds=3)
"""A result that found nobody who listens is posted again until its time is over: nobody has received it twice."""
HORIZON_S: Final = 3_600
"""Q3: how far a changed profile is told ahead."""
WATCHED: Final = timedelta(days=30)
"""The longest that a session is watched for changes of its profile."""
_AFTER: Final = timedelta(minutes=1)

_NOT_SENT: Final = (UnknownStation, StationAway, StationRefused, TooManyCommands)


async def post_results(ocpi: Ocpi, router: HubRouter) -> None:
    """Runs until cancelled."""
    await CommandResults(ocpi).run()


class CommandResults:
    """One per hub process."""

    def __init__(self, ocpi: Ocpi) -> None:
        self._ocpi = ocpi
        self._reservations = ReservationService(ocpi.store.hub, ocpi.commands, ocpi.clock, ocpi.ids)
        self._limiter = trio.CapacityLimiter(MOST_AT_ONCE)
        self._at_work: dict[UUID, int] = {}
        self._poke = trio.Event()
        self._open = False

    async def run(self) -> None:
        """Runs until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, TOPIC)
            nursery.start_soon(self._listen, ENDS_TOPIC)
            nursery.start_soon(self._keep)
            while True:
                poke = self._poke = trio.Event()
                try:
                    await self._sweep(nursery)
                except StoreUnavailable as error:
                    log.warning("ocpi.results_wait_for_the_store", error=str(error))
                except Exception as error:
                    log.error("ocpi.results_failed", exc_info=error)
                await trio.sleep(SHORTEST_S)
                with trio.move_on_after(LOOK_EVERY_S if self._open else IDLE_S):
                    await poke.wait()

    async def _listen(self, topic: str) -> None:
        while True:
            try:
                async with self._ocpi.bus.subscribe(topic) as bodies:
                    async for _ in bodies:
                        if topic == TOPIC or self._open:
                            self._poke.set()
            except BusUnavailable:
                pass  # as when the subscription ends: try again
            await trio.sleep(LOOK_EVERY_S)

    async def _keep(self) -> None:
        """Renew the leases of what is worked on."""
        while True:
            await trio.sleep(RENEW_S)
            by_tenant: dict[int, list[UUID]] = {}
            for command_id, tenant_id in self._at_work.items():
                by_tenant.setdefault(tenant_id, []).append(command_id)
            for tenant_id, ids in by_tenant.items():
                try:
                    await self._renew(tenant_id, ids)
                except StoreUnavailable:
                    log.debug("ocpi.leases_not_renewed", tenant_id=tenant_id)

    async def _renew(self, tenant_id: int, ids: list[UUID]) -> None:
        await self._unit(tenant_id, lambda conn: queries.renew_leases(conn, tenant_id, ids, LEASE))

    async def _sweep(self, nursery: trio.Nursery) -> None:
        tenants = await self._ocpi.store.gateway.look(queries.tenants_with_open)
        self._open = bool(tenants)
        for tenant_id in tenants:
            for due in await self._claim(tenant_id):
                self._at_work[due.command.ocpi_command_id] = tenant_id
                nursery.start_soon(self._work, tenant_id, due)

    async def _claim(self, tenant_id: int) -> list[Due]:
        return await self._ocpi.store.hub.tenant_unit(tenant_id, lambda conn: queries.claim_due(conn, tenant_id, BATCH, LEASE))

    async def _work(self, tenant_id: int, due: Due) -> None:
        """Never raises but for cancellation; what fails is due again when the lease is over."""
        command = due.command
        try:
            async with self._limiter:
                await self._step(tenant_id, due)
        except StoreUnavailable as error:
            log.warning("ocpi.result_waits_for_the_store", ocpi_command_id=str(command.ocpi_command_id), error=str(error))
        except Exception as error:
            log.error("ocpi.result_failed", ocpi_command_id=str(command.ocpi_command_id), exc_info=error)
        finally:
            self._at_work.pop(command.ocpi_command_id, None)

    async def _step(self, tenant_id: int, due: Due) -> None:
        command = due.command
        if command.direction == "sent":
            await self._set(tenant_id, command, "failed", error="no result came in time")
            await tell_end(self._ocpi, command.ocpi_command_id)
        elif command.status == "delivering":
            await self._deliver(tenant_id, command, command.result, command.result_document)
        elif command.status == "asked":
            await self._reserve(tenant_id, due)
        elif command.result is not None:
            await self._watch(tenant_id, due)
        else:
            await self._finish(tenant_id, due)

    # -- results

    async def _finish(self, tenant_id: int, due: Due) -> None:
        """The station has answered, or has not in time."""
        command, end = due.command, due.end
        match command.command:
            case "SET_PROFILE" | "CLEAR_PROFILE":
                result: str = "REJECTED" if end is None else profile_result_of(end)
                message = document(ChargingProfileResult(result=result))
            case "GET_PROFILE" | "REPORT_PROFILE":
                accepted = end is not None and end.status == "accepted" and end.result is not None
                profile = active_profile(end.result, self._ocpi.clock.now()) if accepted and end and end.result else None
                result = "REJECTED" if profile is None else "ACCEPTED"
                if command.command == "REPORT_PROFILE":
                    if profile is None:
                        await self._set(tenant_id, command, "failed", error="the station told no schedule")
                        return
                    message = document(profile)
                else:
                    message = document(ActiveChargingProfileResult(result=result, profile=profile))
            case _:
                result = "TIMEOUT" if end is None else result_of(command.command, end)
                message = document(CommandResult(result=result))
        await self._conclude(tenant_id, command, result, message)

    async def _conclude(self, tenant_id: int, command: OcpiCommand, result: str, message: dict[str, Any]) -> None:
        """Note the result before it is posted: it is the only one from now on."""

        party = (command.country_code, command.party_id)

        async def note(conn: Connection) -> None:
            await queries.set_state(conn, tenant_id, command.ocpi_command_id, "delivering", result=result, result_document=message)
            await queries.put_off(conn, tenant_id, command.ocpi_command_id, LEASE)
            if command.command in ("SET_PROFILE", "CLEAR_PROFILE") and command.session_id is not None:
                await queries.end_watches(conn, tenant_id, command.session_id, party)
            if command.reservation_id is not None and result == "ACCEPTED":
                await queries.end_reservation_watches(conn, tenant_id, command.reservation_id, party)

        await self._unit(tenant_id, note)
        await self._deliver(tenant_id, command, result, message)

    async def _deliver(self, tenant_id: int, command: OcpiCommand, result: str | None, message: dict[str, Any] | None) -> None:
        ocpi = self._ocpi
        own = (await ocpi.directory.parties()).find((command.own_country_code.lower(), command.own_party_id.lower()), {"CPO"})
        if own is None or own.tenant_id != tenant_id:
            await self._set(tenant_id, command, "failed", error="the party that was asked is there no more")
            return
        to = Party(command.country_code, command.party_id)
        request = self._request(command, message)
        response = await ocpi.outgoing.send(own, to, request, correlation_id=command.correlation_id, timeout_s=POST_S)
        if response.successful:
            await self._go_on(tenant_id, command, result)
            return
        why = response.failure or response.status_message or f"status {response.status_code}"
        unreached = response.failure is not None and response.status_code == StatusCode.HUB_CONNECTION_PROBLEM
        if unreached and ocpi.clock.now() < command.deadline:
            await self._unit(tenant_id, lambda conn: queries.put_off(conn, tenant_id, command.ocpi_command_id, AGAIN))
            return
        log.info("ocpi.result_not_taken", ocpi_command_id=str(command.ocpi_command_id), error=why)
        await self._set(tenant_id, command, "failed", error=f"the result was not taken: {why}")

    async def _go_on(self, tenant_id: int, command: OcpiCommand, result: str | None) -> None:
        """It is told. What was carried out may yet change."""
        now = self._ocpi.clock.now()
        if result == "ACCEPTED" and command.command == "SET_PROFILE":
            await self._set(tenant_id, command, "waiting", deadline=now + WATCHED)
        elif result == "ACCEPTED" and command.command == "RESERVE_NOW":
            expires_at = datetime.fromisoformat(command.request["expires_at"])
            await self._set(tenant_id, command, "waiting", deadline=max(expires_at, now) + _AFTER)
        else:
            await self._set(tenant_id, command, "done")

    def _request(self, command: OcpiCommand, message: dict[str, Any] | None) -> OcpiRequest:
        module = module_of(command.command)
        if command.command == "REPORT_PROFILE":
            told_as = command.request.get("session_id") or command.session_id or ""
            return OcpiRequest(method="PUT", module=module, role="SENDER", segments=(told_as,), body=message)
        url = command.response_url or ""
        if not url.startswith(self._ocpi.urls.base + "/"):
            return OcpiRequest(method="POST", module=module, role="SENDER", url=url, body=message)
        # our own: a tenant of ours has asked, or our hub has put its URL there (17.1)
        parts = urlsplit(url)
        path = read_path(parts.path)
        return OcpiRequest(
            method="POST",
            module=module,
            role="SENDER",
            segments=() if path is None else path.segments,
            query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            body=message,
        )

    # -- reservations

    async def _reserve(self, tenant_id: int, due: Due) -> None:
        command = due.command
        if due.overdue:
            await self._conclude(tenant_id, command, "TIMEOUT", document(CommandResult(result="TIMEOUT")))
            return
        refused: Why | None
        if command.command == "CANCEL_RESERVATION":
            refused = await self._cancel(tenant_id, command)
        elif command.request.get("begun"):
            refused = await self._look_after(tenant_id, due)
        else:
            await self._unit(tenant_id, lambda conn: queries.note_begun(conn, tenant_id, command.ocpi_command_id))
            refused = _why(await self._ask_station(tenant_id, command))
        result = result_of_reservation(refused)
        await self._conclude(tenant_id, command, result, document(CommandResult(result=result)))

    async def _ask_station(self, tenant_id: int, command: OcpiCommand) -> Outcome:
        plan, key = command.request, command.reservation
        token = plan["token"]
        return await self._reservations.reserve(
            tenant_id,
            plan["charge_point_id"],
            plan["evse_id"],
            ReservedFor(token["id_token"], token["type"], token.get("group")),
            datetime.fromisoformat(plan["expires_at"]),
            requested_by=label_of(Party(command.country_code, command.party_id)),
            ocpi=key,
        )

    async def _cancel(self, tenant_id: int, command: OcpiCommand) -> Why | None:
        key, label = command.reservation, label_of(Party(command.country_code, command.party_id))
        if key is None:
            return "unknown_reservation"
        outcome = await self._reservations.cancel(tenant_id, key, requested_by=label)
        after = outcome.reservation
        # by an order of this party, which it has repeated, or which a process gave that is gone
        done = after is not None and after.status == "cancelled" and after.cancelled_by == label
        return None if done else _why(outcome)

    async def _look_after(self, tenant_id: int, due: Due) -> Why | None:
        """The process that asked the station is gone: what became of it the reservation says."""
        key = due.command.reservation
        found = None if key is None else await self._reservations.find(tenant_id, key)
        while found is not None and (found.status == "requested" or found.replacing):
            if self._ocpi.clock.now() >= due.command.deadline:
                return "no_answer"
            await trio.sleep(LOOK_EVERY_S)
            found = None if key is None else await self._reservations.find(tenant_id, key)
        if found is None:
            return "failed"
        return None if found.status in ("active", "used") else _reason(found.status_reason)

    # -- what follows

    async def _watch(self, tenant_id: int, due: Due) -> None:
        command = due.command
        if command.command == "RESERVE_NOW" and due.reservation == "cancelled":
            if due.cancelled_by != label_of(Party(command.country_code, command.party_id)):
                message = document(CommandResult(result="CANCELED_RESERVATION"))
                await self._conclude(tenant_id, command, "CANCELED_RESERVATION", message)  # M7
                return
        elif command.command == "SET_PROFILE" and due.profile_changed is not None and not due.session_over and not due.overdue:
            await self._report(tenant_id, command, due.profile_changed)
            return
        await self._set(tenant_id, command, "done")

    async def _report(self, tenant_id: int, command: OcpiCommand, changed_at: datetime) -> None:
        """Q3: have the station work out the profile that holds now; it is told when that is there."""
        ocpi = self._ocpi
        session_id = UUID(command.session_id)
        report_id, command_id = ocpi.ids.uuid7(), ocpi.ids.uuid7()

        async def record(conn: Connection) -> queries.StationSession | None:
            await queries.note_seen(conn, tenant_id, command.ocpi_command_id, changed_at)
            session = await queries.find_session(conn, tenant_id, session_id)
            if session is None or not session.online:
                return None
            told_as = await id_for_partners(conn, tenant_id, session_id)
            new = NewOcpiCommand(
                ocpi_command_id=report_id,
                direction="received",
                command="REPORT_PROFILE",
                country_code=command.country_code,
                party_id=command.party_id,
                own_country_code=command.own_country_code,
                own_party_id=command.own_party_id,
                correlation_id=command.correlation_id,
                request={"body": None, "session_id": str(told_as)},
                command_id=command_id,
                session_id=command.session_id,
                status="waiting",
                deadline=ocpi.clock.now() + OURS,
            )
            await queries.insert_command(conn, tenant_id, new)
            return session

        session = await ocpi.store.hub.tenant_unit(tenant_id, record)
        if session is None:
            return
        order = DomainOrder(GetCompositeSchedule(evse_id=session.evse_id or 0, duration_s=HORIZON_S))
        try:
            await ocpi.commands.submit(
                tenant_id,
                session.charge_point_id,
                order,
                requested_by="system:ocpi",
                session_id=session_id,
                command_id=command_id,
            )
        except _NOT_SENT as error:
            log.info("ocpi.profile_not_asked_for", session_id=str(session_id), error=type(error).__name__)

    # -- the database

    async def _set(self, tenant_id: int, command: OcpiCommand, status: queries.Status, **changes: Any) -> None:
        await self._unit(tenant_id, lambda conn: queries.set_state(conn, tenant_id, command.ocpi_command_id, status, **changes))

    async def _unit(self, tenant_id: int, work: Any) -> None:
        await self._ocpi.store.hub.tenant_unit(tenant_id, work)


def _why(outcome: Outcome) -> Why | None:
    """Why a reservation was not made or ended; None: it was."""
    after = outcome.reservation
    if outcome.refused is not None:
        return outcome.refused
    if after is None:
        return "failed"
    return "no_answer" if after.status == "requested" or after.replacing else None


def _reason(status_reason: str | None) -> Why:
    """Why a reservation was refused, as its row has it."""
    for reason in get_args(Refusal):
        if reason == status_reason:
            known: Why = reason
            return known
    return "failed"
