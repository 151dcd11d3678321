"""What stations say in the tests of the rules."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import pytest
import trio

from tests.integration.gateway.site import BOOT_16, BOOT_201, Site, Station, running

OCPP16: Final = "ocpp1.6"
OCPP201: Final = "ocpp2.0.1"
OCPP21: Final = "ocpp2.1"

each_version: Final = pytest.mark.parametrize("version", [OCPP16, OCPP201, OCPP21])
each_2x: Final = pytest.mark.parametrize("version", [OCPP201, OCPP21])

TOKEN: Final = {"idToken": "TAG", "type": "ISO14443"}
REASONS: Final = {"Started": "Authorized", "Updated": "MeterValuePeriodic", "Ended": "StopAuthorized"}


def at(seconds: float = 0.0) -> str:
    """A time so many seconds from now, as stations write it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def boot(version: str) -> dict[str, Any]:
    return dict(BOOT_16 if version == OCPP16 else BOOT_201)


def status(version: str, connector: int = 1, state: str = "Available", time: str | None = None) -> dict[str, Any]:
    if version == OCPP16:
        told = {"connectorId": connector, "errorCode": "NoError", "status": state}
        return told if time is None else told | {"timestamp": time}
    return {"timestamp": time or at(), "connectorStatus": state, "evseId": connector, "connectorId": 1}


def start(**changes: Any) -> dict[str, Any]:
    return {"connectorId": 1, "idTag": "TAG", "meterStart": 100, "timestamp": at(-60), **changes}


def stop(transaction_id: int, **changes: Any) -> dict[str, Any]:
    return {"transactionId": transaction_id, "meterStop": 1100, "timestamp": at(), **changes}


def meter(transaction_id: int | None, *values: str, seconds: float = -30, connector: int = 1) -> dict[str, Any]:
    message: dict[str, Any] = {
        "connectorId": connector,
        "meterValue": [{"timestamp": at(seconds), "sampledValue": [{"value": value} for value in values]}],
    }
    return message if transaction_id is None else message | {"transactionId": transaction_id}


def event(kind: str, seq_no: int, wh: float | None = None, *, tx: str = "T-1", **changes: Any) -> dict[str, Any]:
    """A TransactionEvent; the later its number, the later its time."""
    message: dict[str, Any] = {
        "eventType": kind,
        "timestamp": at(seq_no - 30),
        "triggerReason": REASONS[kind],
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": tx},
    }
    if wh is not None:
        message["meterValue"] = [{"timestamp": message["timestamp"], "sampledValue": [{"value": wh}]}]
    return message | changes


def transaction_message(version: str) -> tuple[str, dict[str, Any]]:
    """What begins a transaction."""
    return ("StartTransaction", start()) if version == OCPP16 else ("TransactionEvent", event("Started", 0, idToken=TOKEN))


@asynccontextmanager
async def booted(database: str, version: str, identity: str = "CP1", **settings: Any) -> AsyncIterator[tuple[Site, Station]]:
    """A gateway and an accepted station; the tenant takes every token."""
    async with running(database, **settings) as site, site.station(identity, versions=[version]) as station:
        await site.tenant(unknown_tokens="accept")
        await station.boot()
        yield site, station


async def tell(station: Station, action: str, payload: Any, message_id: str | None = None, *, amid_calls: bool = False) -> Any:
    """Send a CALL; gives the payload of its result. `amid_calls`: CALLs of the gateway that come before it are passed over."""
    if not amid_calls:
        frame = await station.call(action, payload, message_id)
    else:
        message_id = message_id or str(uuid4())
        await station.send([2, message_id, action, payload])
        while (frame := await station.receive())[0] == 2:
            pass
        assert frame[1] == message_id, frame
    assert frame[0] == 3, frame
    return frame[2]


async def answer(station: Station, call: Any, payload: Any) -> None:
    """Answer a CALL of the gateway."""
    await station.send([3, call[1], payload])


async def the_session(site: Site) -> dict[str, Any]:
    (session,) = await site.rows("SELECT * FROM sessions")
    return session


async def published(site: Site, kind: str) -> list[dict[str, Any]]:
    """The data of the events of one type, oldest first."""
    rows = await site.rows("SELECT data FROM outbox WHERE type = $1 ORDER BY id", kind)
    return [json.loads(row["data"]) for row in rows]


async def until(condition: Any, seconds: float = 5.0) -> Any:
    """Wait for the first truthy outcome of `condition`, an async function."""
    with trio.fail_after(seconds):
        while not (found := await condition()):
            await trio.sleep(0.02)
        return found
