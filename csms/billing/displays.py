"""Telling stations what a session costs, so that they can show it: CostUpdated in OCPP 2.x, DataTransfer in 1.6.

The 1.6 messages are those of the Open Charge Alliance's application note "OCPP & California Pricing Requirements": RunningCost
and FinalCost under the vendor id org.openchargealliance.costmsg, understood by stations whose configuration key
CustomDisplayCostAndPrice is true. A station of 2.x says in TariffCostCtrlr.Enabled[Cost] whether it shows costs.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
import trio

from csms.billing.cdr import Cdr
from csms.billing.running import Priced
from csms.clock import Clock
from csms.commands import CommandService, RawOrder, StationAway, StationRefused, TooManyCommands, UnknownStation
from csms.pricing.exact import to_minor_unit
from csms.store import Connection, Database, StoreUnavailable
from csms.store.queries import cost_displays as queries
from csms.store.queries.cost_displays import Display

log = structlog.get_logger()

BY: Final = "system:billing"
ASK_AGAIN: Final = timedelta(days=30)
"""A station may get another firmware, or be configured."""
UNANSWERED: Final = timedelta(hours=1)
"""How long after a question that nobody answered the next one may follow."""
_ANSWER_S: Final = 20.0
_VENDOR: Final = "org.openchargealliance.costmsg"
_KEY: Final = "CustomDisplayCostAndPrice"
_REFUSALS: Final = (StationAway, StationRefused, TooManyCommands, UnknownStation)

_exact: Final = msgspec.json.Encoder(decimal_format="number").encode


class CostDisplays:
    """Sends costs to the stations that show them. `database` is the hub role's."""

    def __init__(self, database: Database, commands: CommandService, clock: Clock) -> None:
        self._database = database
        self._commands = commands
        self._clock = clock

    async def ask(self, tenant_id: int, session_id: UUID) -> None:
        """Find out whether the session's station shows costs, unless that is known. Raises StoreUnavailable."""
        now = self._clock.now()

        async def claim(conn: Connection) -> Display | None:
            return await queries.claim_question(
                conn, tenant_id, session_id, answered_before=now - ASK_AGAIN, asked_before=now - UNANSWERED
            )

        station = await self._database.tenant_unit(tenant_id, claim)
        if station is None:
            return
        try:
            row = await self._commands.execute(
                tenant_id, station.charge_point_id, _question(station.ocpp_version), requested_by=BY, wait_s=_ANSWER_S
            )
        except _REFUSALS:
            return
        if row.status in ("accepted", "rejected", "failed"):
            shows = row.result is not None and answer_says_yes(row.result)
            await self._database.tenant_unit(
                tenant_id, lambda conn: queries.note_answer(conn, tenant_id, station.station_id, shows)
            )

    async def tell_running(self, tenant_id: int, priced: Priced) -> None:
        """Send the cost so far. A station that is away shows the next one."""
        if priced.displays_cost and priced.changed and priced.amount is not None:
            await self._send(tenant_id, priced.charge_point_id, running_cost(priced), priced.session_id)

    async def tell_final(self, tenant_id: int, session_id: UUID, cdr: Cdr) -> None:
        """Send the final cost to a 1.6 station; a 2.x one got it in the answer to its last event."""
        identity, transaction_id = cdr.cdr_location.charge_point_id, cdr.transaction_id
        if cdr.credit or transaction_id is None:
            return
        display = await self._database.tenant_unit(tenant_id, lambda conn: queries.display_of(conn, tenant_id, session_id))
        if display is not None and display.displays_cost and display.ocpp_version == "ocpp1.6":
            await self._send(tenant_id, identity, final_cost(cdr, transaction_id), session_id)

    async def _send(self, tenant_id: int, identity: str, order: RawOrder, session_id: UUID) -> None:
        try:
            await self._commands.submit(tenant_id, identity, order, requested_by=BY, session_id=session_id)
        except _REFUSALS as error:
            log.debug("billing.cost_not_shown", charge_point_id=identity, why=type(error).__name__)
        except StoreUnavailable:
            await trio.lowlevel.checkpoint()  # the next cost is told when the database is back


def running_cost(priced: Priced) -> RawOrder:
    """The message with the cost of a running session."""
    if priced.ocpp_version != "ocpp1.6":
        return RawOrder("CostUpdated", _exact({"totalCost": priced.amount, "transactionId": priced.transaction_id}))
    data = {
        "transactionId": int(priced.transaction_id),
        "timestamp": priced.until,
        "meterValue": 0 if priced.meter_wh is None else int(priced.meter_wh),
        "cost": priced.amount,
        "state": "Charging",
    }
    return _transfer("RunningCost", data)


def final_cost(cdr: Cdr, transaction_id: str) -> RawOrder:
    """The message with the cost of an ended session of OCPP 1.6."""
    due = cdr.amount_due
    amount = due.excl_vat if due.incl_vat is None else due.incl_vat
    text = f"{amount} {cdr.currency}, {to_minor_unit(cdr.total_energy, 'EUR')} kWh"
    return _transfer("FinalCost", {"transactionId": int(transaction_id), "cost": amount, "priceText": text})


def _transfer(message_id: str, data: dict[str, int | str | Decimal | Any]) -> RawOrder:
    payload = {"vendorId": _VENDOR, "messageId": message_id, "data": _exact(data).decode()}
    return RawOrder("DataTransfer", _exact(payload))


def _question(ocpp_version: str) -> RawOrder:
    if ocpp_version == "ocpp1.6":
        return RawOrder("GetConfiguration", _exact({"key": [_KEY]}))
    variable = {"component": {"name": "TariffCostCtrlr"}, "variable": {"name": "Enabled", "instance": "Cost"}}
    return RawOrder("GetVariables", _exact({"getVariableData": [variable]}))


class _Key(msgspec.Struct):
    key: str = ""
    value: str | None = None


class _Variable(msgspec.Struct, rename="camel"):
    attribute_status: str = ""
    attribute_value: str | None = None


class _Result(msgspec.Struct, rename="camel"):
    """What is read of either answer."""

    configuration_key: list[_Key] = []
    get_variable_result: list[_Variable] = []


_read_result: Final = msgspec.json.Decoder(_Result).decode


def answer_says_yes(result: str) -> bool:
    """Whether a station that was asked says that it shows costs; anything else means no."""
    try:
        read = _read_result(result)
    except msgspec.DecodeError:
        return False
    keys = [key.value for key in read.configuration_key if key.key == _KEY]
    variables = [variable.attribute_value for variable in read.get_variable_result if variable.attribute_status == "Accepted"]
    return any(value is not None and value.strip().lower() == "true" for value in [*keys, *variables])
