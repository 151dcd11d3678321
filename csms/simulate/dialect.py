"""What an OCPP version must be able to say; the station's behaviour is the same in all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from csms.simulate.configuration import Configuration
from csms.simulate.link import Answer
from csms.simulate.local_list import LocalList
from csms.simulate.message import Message
from csms.simulate.profiles import Profiles, Unit
from csms.simulate.reservations import Reserved, ReserveStatus, Update
from csms.simulate.transaction import ConnectorState, Report, StopReason, Transaction
from csms.simulate.vehicle import Sample
from schemas.ocpp201.enums import IdTokenEnumType

BootReason = Literal["power_up", "remote_reset", "triggered"]
MeterContext = Literal["Sample.Periodic", "Trigger"]


@dataclass(frozen=True, slots=True)
class BootAnswer:
    accepted: bool
    interval: int  # seconds; accepted: of heartbeats, else until the next boot


class Orders(Protocol):
    """What a CALL of the CSMS can ask of a station. Nothing here waits; what takes time goes on by itself."""

    identity: str
    configuration: Configuration
    local_list: LocalList
    profiles: Profiles

    def evse_ids(self) -> range: ...

    def remote_start(
        self, evse_id: int | None, id_token: str, remote_start_id: int | None, token_type: IdTokenEnumType | None = None
    ) -> Callable[[], None] | None:
        """Reserve an EVSE for a remote start. Gives what sets it going, or None when there is no free one."""
        ...

    def transaction(self, matches: Callable[[Transaction], bool]) -> Transaction | None: ...

    def transaction_at(self, evse_id: int) -> Transaction | None: ...

    def undelivered(self, transaction_id: str | None) -> bool:
        """Whether transaction messages wait to be delivered: of one transaction, or of any."""
        ...

    def set_available(self, evse_id: int | None, *, available: bool) -> bool:
        """Put an EVSE or all in or out of service. False: after the transaction that still runs."""
        ...

    def reserve(self, evse_id: int | None, reserved: Reserved) -> ReserveStatus:
        """Keep an EVSE, or any that is free; one with the same id is replaced."""
        ...

    def cancel_reservation(self, reservation_id: int) -> bool:
        """False: there is none with this id."""
        ...

    def limits_changed(self) -> None:
        """The profiles are others than before."""
        ...

    def composite(self, evse_id: int, duration: int, unit: Unit) -> list[tuple[int, float]]:
        """(seconds from now, limit) of an EVSE, or with 0 of the station, from now on."""
        ...

    def restart(self, reason: Literal["soft_reset", "hard_reset"]) -> None: ...

    def send(self, message: Callable[[], Message]) -> None:
        """Send when online; in the order of the calls."""
        ...

    def boot_again(self) -> None: ...

    def send_states(self, evse_id: int | None) -> None: ...

    def send_meter_values(self, evse_id: int | None) -> None: ...

    def now(self) -> datetime: ...


class Dialect(Protocol):
    """One OCPP version."""

    @property
    def subprotocol(self) -> str: ...

    @property
    def station_has_state(self) -> bool:
        """Whether the station itself has a status, as connector 0."""
        ...

    def boot(self, identity: str, reason: BootReason) -> Message: ...

    def read_boot(self, payload: bytes) -> BootAnswer: ...

    def heartbeat(self) -> Message: ...

    def state(self, evse_id: int, state: ConnectorState, now: datetime) -> Message: ...

    def reservation_ended(self, reservation_id: int, update: Update) -> Message | None:
        """What tells that a reservation ended without being used, where the version has words for it."""
        ...

    def authorize(self, id_token: str) -> Message: ...

    def read_authorize(self, payload: bytes) -> bool: ...

    def meter_values(self, evse_id: int, sample: Sample, now: datetime) -> Message:
        """Readings that belong to no transaction."""
        ...

    def started(self, transaction: Transaction, sample: Sample, *, offline: bool) -> Report: ...

    def metered(
        self, transaction: Transaction, sample: Sample, now: datetime, context: MeterContext, *, offline: bool
    ) -> Report: ...

    def ended(self, transaction: Transaction, sample: Sample, now: datetime, reason: StopReason, *, offline: bool) -> Report: ...

    def transaction_id(self, transaction: Transaction) -> str | None: ...

    def stop_reason(self, reason: StopReason) -> str: ...

    def answer(self, orders: Orders, action: str, payload: bytes) -> Answer:
        """Serve a CALL of the CSMS."""
        ...
