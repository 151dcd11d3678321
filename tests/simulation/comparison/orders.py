"""What the hub puts in between the group commits: id tokens, and commands for stations, some of which have gone out already."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.domain.known_tokens import KnownGroup
from csms.domain.restrictions import Restrictions, Window
from csms.ledger.rows import TokenRow
from tests.simulation.model.rows import Command
from tests.simulation.timing import EPOCH

_ORDINARY: Final = ("TAG-1", "tag-1", "TAG-2", "BLOCKED", "LATE", "TAG-3", "TAG-4", "TAG-5", "TAG-6", "TAG-7", "Tag-8")
_RESTRICTED: Final = ("FLEET", "FLEET", "fleet", "STAFF", "ONCE-1", "once-1", "ONCE-2", "ONCE-3")
TOKENS: Final = (*_ORDINARY, *_RESTRICTED)
_COMPANY: Final = KnownGroup(UUID(int=101), "Company", "COMPANY", restrictions=Restrictions(sessions_per_month=6))
_DRIVERS: Final = KnownGroup(UUID(int=102), "Drivers", restrictions=Restrictions(charge_points=("CP-1", "CP-2")))
_FLEET: Final = TokenRow(
    1,
    "FLEET",
    "ISO14443",
    "accepted",
    None,
    None,
    None,
    False,
    UUID(int=201),
    restrictions=Restrictions(max_concurrent_sessions=2, sessions_per_day=4),
    groups=(_DRIVERS, _COMPANY),
)
_HOURS: Final = Restrictions(hours=(Window(start="22:00", end="06:00"),), time_zone="Europe/Berlin")
KNOWN_TOKENS: Final = (
    TokenRow(1, "TAG-1", "ISO14443", "accepted", None, None, "GROUP", False),
    TokenRow(1, "TAG-1", "eMAID", "accepted", None, EPOCH + timedelta(hours=1), None, False),
    TokenRow(1, "TAG-2", "ISO14443", "accepted", None, None, None, True),
    TokenRow(1, "BLOCKED", "ISO14443", "blocked", None, None, "GROUP", False),
    TokenRow(1, "LATE", "ISO14443", "accepted", None, EPOCH + timedelta(hours=30), None, False),
    TokenRow(2, "TAG-1", "eMAID", "accepted", EPOCH + timedelta(hours=1), None, None, False),
    TokenRow(2, "TAG-3", "ISO14443", "accepted", None, None, None, False),
    _FLEET,
    TokenRow(1, "STAFF", "ISO14443", "accepted", None, None, None, False, UUID(int=202), restrictions=_HOURS, groups=(_COMPANY,)),
    TokenRow(1, "ONCE-1", "Central", "accepted", None, None, None, False, UUID(int=203), single_use=True),
    TokenRow(1, "ONCE-2", "Central", "accepted", None, None, None, False, UUID(int=204), single_use=True, parent=_FLEET),
    TokenRow(1, "ONCE-3", "Central", "accepted", None, None, None, False, UUID(int=205), single_use=True, parent=_FLEET),
)
"""What an operator has entered."""
REFERENCES: Final[dict[str, tuple[str | None, ...]]] = {
    "RequestStartTransaction": ("7", "7", "8"),
    "ClearCache": ("r1", "r2"),
    "TriggerMessage": ("r2",),
    "SetChargingProfile": ("1", "2", "10"),
    "ClearChargingProfile": (None, "1", "10"),
}
"""The ids in commands that what follows them names."""

LIMITS: Final = {"set_charging_profile": "SetChargingProfile", "clear_charging_profile": "ClearChargingProfile"}
"""What becomes of the commands about limits when they are sent."""


def order(chance: Random, station: tuple[int, int], now: datetime, number: int) -> Command:
    """The `number`-th command of all."""
    token, connector = chance.choice(TOKENS[:2]), chance.choice((1, 1, 1, 2, None))
    command, action, parameters = _content(chance, token, connector)
    created_at = now + timedelta(microseconds=number)
    made = Command(
        station[0],
        UUID(int=int(created_at.timestamp() * 1000) << 80 | 7 << 76 | number << 64 | 2 << 62 | chance.getrandbits(60)),
        station[1],
        command,
        action,
        msgspec.json.encode(parameters),
        "operator",
        created_at,
        now + timedelta(seconds=chance.choice((5, 3000, 30_000))),
    )
    if chance.random() < 0.6:
        # it has gone out already, by whatever process
        made.status = chance.choice(("sent", "sent", "sent", "accepted", "accepted", "rejected"))
        made.action = action or LIMITS.get(command or "") or chance.choice(("RemoteStartTransaction", "RequestStartTransaction"))
        made.reference = chance.choice(REFERENCES.get(made.action, (None,)))
        made.epoch, made.sent_at = 1, created_at
    return made


def _content(chance: Random, token: str, connector: int | None) -> tuple[str | None, str | None, dict[str, Any]]:
    """(command, action, parameters): one of the first two is None."""
    profile = {
        "id": chance.choice((1, 2, 10)),
        "chargingProfilePurpose": chance.choice(("TxProfile", "TxProfile", "TxDefaultProfile")),
        "stackLevel": chance.randint(0, 3),
    }

    def placed(name: str) -> dict[str, Any]:
        return {} if connector is None else {name: connector}

    request = {"idToken": {"idToken": token}, "evseId": connector, "remoteStartId": 7}
    with_transaction = {"chargingProfile": profile | {"transactionId": f"tx-{chance.randint(1, 2)}"}}
    contents: tuple[tuple[str | None, str | None, dict[str, Any]], ...] = (
        ("start", None, {"id_token": token, "connector_id": connector}),
        ("start", None, {"id_token": token} | placed("evse_id")),
        (None, "RemoteStartTransaction", {"idTag": token} | placed("connectorId")),
        (None, "RequestStartTransaction", request),
        (None, "RequestStartTransaction", request | {"chargingProfile": profile}),
        (None, "SetChargingProfile", placed("evseId") | with_transaction),
        (None, "ClearChargingProfile", chance.choice(({}, {"chargingProfileId": 1}, {"chargingProfileId": 10}))),
        ("set_charging_profile", None, {"transaction_id": f"tx-{chance.randint(1, 2)}", "evse_id": 1}),
        ("set_charging_profile", None, {"purpose": "TxDefaultProfile"}),
        ("clear_charging_profile", None, {"stack_level": 0}),
        (None, "ClearCache", {}),
        (None, "TriggerMessage", {"requestedMessage": "Heartbeat"}),
    )
    return chance.choices(contents, weights=(2, 2, 2, 2, 3, 4, 1, 4, 1, 1, 3, 3))[0]
