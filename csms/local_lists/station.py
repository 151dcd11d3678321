"""Bringing one station to what it ought to have: its cache, its settings, its list."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from uuid import UUID

import structlog

from csms.clock import Clock
from csms.commands import CommandService, RawOrder, StationAway, StationRefused, TooManyCommands, UnknownStation
from csms.local_lists import messages, settings
from csms.local_lists.content import Content, decode_content
from csms.local_lists.conversation import AskVersion, Conversation, End, Known, Send
from csms.local_lists.pace import Pace
from csms.local_lists.policy import decode_policy
from csms.store import Connection, Database
from csms.store.queries import local_lists as queries
from csms.store.queries.local_lists import Claim, Overtaken

log = structlog.get_logger()

BY: Final = "system:local_lists"
ANSWER_S: Final = 60.0
"""How long an answer is waited for. What comes later is found out by asking for the version."""
LEASE_S: Final = 120.0
"""Longer than an answer is waited for, with the turn before it."""
_AWAY_S: Final = 2.0
_NO_ANSWER_S: Final = (10.0, 300.0)
_REFUSED_S: Final = (60.0, 21_600.0)
"""The first and the longest pause after a failure; each is twice the one before."""
_CACHED_ENTRIES: Final = 200_000

_is_call_error: Final = re.compile(r"[A-Z][A-Za-z]+(:|\Z)").match


class ListGone(Exception):
    """Nobody has or wants the list any more: what ought to be at the station has changed since it was claimed."""


class Contents:
    """Lists as they are stored; those used last stay in memory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[tuple[int, bytes], Content] = OrderedDict()
        self._entries = 0

    async def get(self, tenant_id: int, digest: bytes) -> Content:
        """Raises StoreUnavailable, ListGone."""
        known = self._known.get((tenant_id, digest))
        if known is not None:
            self._known.move_to_end((tenant_id, digest))
            return known
        entries = await self._database.tenant_unit(tenant_id, lambda conn: queries.get_content(conn, tenant_id, digest))
        if entries is None:
            raise ListGone
        content = decode_content(entries)
        if (tenant_id, digest) not in self._known:
            self._known[tenant_id, digest] = content
            self._entries += len(content) + 1
        while self._entries > _CACHED_ENTRIES and len(self._known) > 1:
            _, old = self._known.popitem(last=False)
            self._entries -= len(old) + 1
        return content


class _NoAnswer(Exception):
    """The station did not answer, or not so that anything follows from it. `args[0]` says what happened."""

    def __init__(self, what: str, *, away: bool = False) -> None:
        super().__init__(what)
        self.away = away


class Stations:
    """Visits stations that `claim_due` has given. `database` is the hub role's."""

    def __init__(self, database: Database, commands: CommandService, clock: Clock, owner: UUID, pace: Pace) -> None:
        self.database = database
        self.commands = commands
        self.clock = clock
        self.owner = owner
        self.pace = pace
        self.contents = Contents(database)

    async def visit(self, claim: Claim) -> None:
        """Do all that is due; the station's row tells how it ended. Raises StoreUnavailable: the lease ends by itself."""
        visit = _Visit(self, claim)
        try:
            state, error, again_s, synced = await visit.go()
        except _NoAnswer as failure:
            state = "pending" if claim.state != "off" or claim.wanted_digest is not None else "off"
            again_s = _AWAY_S if failure.away else _pause(_NO_ANSWER_S, claim.failures)
            error, synced = str(failure), False
        except ListGone:
            state, error, again_s, synced = "pending", None, _AWAY_S, False
        except Overtaken:
            log.info("local_lists.overtaken", tenant_id=claim.tenant_id, charge_point_id=claim.charge_point_id)
            return
        try:
            finish = partial(queries.finish, state=state, error=error, again_s=again_s, synced=synced)
            await self.database.tenant_unit(claim.tenant_id, lambda conn: finish(conn, claim, self.owner))
        except Overtaken:
            log.info("local_lists.overtaken", tenant_id=claim.tenant_id, charge_point_id=claim.charge_point_id)


class _Visit:
    """One visit to one station."""

    def __init__(self, stations: Stations, claim: Claim) -> None:
        self._stations = stations
        self._claim = claim
        self._policy = decode_policy(claim.policy)
        self._dialect = messages.dialect_of(claim.station_version)
        known = settings.decode_settings(claim.settings)
        # who orders the whole list wants to try again what was refused
        self._settings = [one for one in known if not (claim.full_ordered and one.refused)]
        self._limits = (claim.items_per_message, claim.bytes_per_message)
        self._max_entries = claim.max_entries

    async def go(self) -> tuple[str, str | None, float | None, bool]:
        """(state, error, seconds to the next turn, whether the list is what it ought to be). Raises _NoAnswer, Overtaken."""
        claim = self._claim
        if claim.clear_cache_ordered_at is not None:
            await self._clear_cache()
        if not self._policy.says_nothing and self._may_have_changed():
            await self._read()
        if self._policy.local_list:
            await self._write()
            return await self._list()
        # the list is emptied while the station still takes one
        outcome = await self._list()
        await self._write()
        return outcome

    def _may_have_changed(self) -> bool:
        """The station was not looked at since it has started anew, if ever; or an operator wants it."""
        checked_at, booted_at = self._claim.checked_at, self._claim.booted_at
        return checked_at is None or self._claim.full_ordered or (booted_at is not None and booted_at > checked_at)

    async def _clear_cache(self) -> None:
        result, error = await self._ask(messages.clear_cache())
        status = error or messages.status_told(result)
        refusal = None if status == "Accepted" else (status or "the answer names no status")[:200]
        claim, now, owner = self._claim, self._stations.clock.now(), self._stations.owner
        await self._stations.database.tenant_unit(
            claim.tenant_id, lambda conn: queries.note_cache_cleared(conn, claim, owner, now, refusal)
        )

    async def _read(self) -> None:
        """Ask for settings and limits: for the first time, or because the station has started anew."""
        result, _ = await self._ask(settings.question(self._dialect))
        told = settings.read_answer(result or "{}")
        self._settings = settings.after_reading(self._dialect, self._settings, told)
        self._limits = (told.items_per_message, told.bytes_per_message)
        self._max_entries = told.max_entries
        await self._save(
            {
                "settings": settings.encode_settings(self._settings).decode(),
                "items_per_message": told.items_per_message,
                "bytes_per_message": told.bytes_per_message,
                "max_entries": told.max_entries,
                "checked_at": self._claim.claimed_at,
                "firmware_version": self._claim.station_firmware,
            }
        )

    async def _write(self) -> None:
        for switch, value in settings.due(self._policy, self._dialect, self._settings).items():
            result, error = await self._ask(settings.order(self._dialect, switch, value))
            status = error or settings.order_status(result)
            if not status:
                raise _NoAnswer("the answer names no status")
            now = self._stations.clock.now()
            self._settings = settings.after_order(self._dialect, self._settings, switch, value, status, now)
            await self._save({"settings": settings.encode_settings(self._settings).decode()})

    async def _list(self) -> tuple[str, str | None, float | None, bool]:
        claim = self._claim
        if claim.wanted_digest is None:
            return "off", None, None, False
        same_firmware = claim.firmware_version == claim.station_firmware
        if claim.state == "unsupported" and same_firmware and not claim.full_ordered:
            return "unsupported", "the station keeps no local list", None, False
        if self._max_entries is not None and claim.wanted_count > self._max_entries:
            await self._stations.database.tenant_unit(claim.tenant_id, lambda conn: queries.mark_change(conn, claim.tenant_id))
            return "pending", f"the list has room for {self._max_entries} tokens only", None, False
        conversation = await self._conversation(claim.wanted_digest)
        while True:
            step = conversation.next_step()
            if isinstance(step, End):
                break
            if isinstance(step, AskVersion):
                await self._ask_version(conversation)
            else:
                await self._send(conversation, step)
        if step.outcome == "failed":
            # perhaps the station has reported meanwhile how much it can hold
            await self._stations.database.tenant_unit(claim.tenant_id, lambda conn: queries.mark_change(conn, claim.tenant_id))
            return "failed", f"the list was refused: {step.error}", _pause(_REFUSED_S, claim.failures), False
        if step.outcome == "unsupported":
            return "unsupported", step.error, None, False
        return ("in_sync" if self._policy.local_list else "off"), None, None, True

    async def _conversation(self, wanted: bytes) -> Conversation:
        claim, contents = self._claim, self._stations.contents

        async def content(digest: bytes | None) -> Content | None:
            return None if digest is None else await contents.get(claim.tenant_id, digest)

        known = Known(claim.version, None, claim.used_version)
        if claim.ocpp_version is not None and messages.dialect_of(claim.ocpp_version) == self._dialect:
            known = Known(
                claim.version,
                await content(claim.digest),
                claim.used_version,
                claim.sent_version,
                await content(claim.sent_digest),
            )
        return Conversation(
            known,
            await contents.get(claim.tenant_id, wanted),
            messages.limits_of(self._dialect, *self._limits),
            partial(messages.size_of, self._dialect),
            asked=claim.asked_epoch == claim.connection_epoch,
            full=claim.full_ordered,
        )

    async def _ask_version(self, conversation: Conversation) -> None:
        result, error = await self._ask(messages.ask_version())
        if error is not None and messages.is_unsupported(error):
            conversation.told_version(-1)
            return
        version = None if result is None else messages.version_told(result)
        if version is None:
            raise _NoAnswer(f"the version of the list was not told: {error or result}"[:200])
        conversation.told_version(version)
        await self._save_known(conversation.known, asked_epoch=self._claim.connection_epoch)

    async def _send(self, conversation: Conversation, step: Send) -> None:
        await self._save_known(step.known, ocpp_version=self._claim.station_version)
        result, error = await self._ask(messages.send_list(self._dialect, step.version, step.update, step.changes))
        taken, status = messages.what_became(result, error)
        conversation.answered(taken, status)
        await self._save_known(conversation.known)

    async def _save_known(self, known: Known, **more: Any) -> None:
        values = {
            "version": known.version,
            "digest": None if known.content is None else known.content.digest,
            "used_version": known.used,
            "sent_version": known.sent_version,
            "sent_digest": None if known.sent_content is None else known.sent_content.digest,
            **more,
        }
        contents = {one.digest: (one.encoded.decode(), len(one)) for one in (known.content, known.sent_content) if one is not None}

        async def save(conn: Connection) -> None:
            await queries.save_contents(conn, self._claim.tenant_id, contents)
            await queries.save_progress(conn, self._claim, self._stations.owner, LEASE_S, values)

        await self._stations.database.tenant_unit(self._claim.tenant_id, save)

    async def _save(self, values: Mapping[str, Any]) -> None:
        claim, owner = self._claim, self._stations.owner
        await self._stations.database.tenant_unit(
            claim.tenant_id, lambda conn: queries.save_progress(conn, claim, owner, LEASE_S, values)
        )

    async def _ask(self, order: RawOrder) -> tuple[str | None, str | None]:
        """(result, error) of a command that the station has answered: an error is one of OCPP. Raises _NoAnswer."""
        await self._stations.pace.turn()
        claim = self._claim
        try:
            row = await self._stations.commands.execute(
                claim.tenant_id, claim.charge_point_id, order, requested_by=BY, wait_s=ANSWER_S
            )
        except (StationAway, UnknownStation) as failure:
            raise _NoAnswer("the station is not connected", away=True) from failure
        except (StationRefused, TooManyCommands) as failure:
            raise _NoAnswer(f"{order.action} was not sent: {type(failure).__name__}") from failure
        if row.status in ("accepted", "rejected"):
            return row.result or "{}", None
        if row.status == "failed" and row.error is not None and _is_call_error(row.error):
            return None, row.error
        raise _NoAnswer(f"{order.action} was not answered: {row.error or row.status}")


def _pause(bounds: tuple[float, float], failures: int) -> float:
    first, longest = bounds
    return min(longest, first * 2.0 ** min(failures, 20))
