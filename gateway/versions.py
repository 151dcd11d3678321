"""What the gateway needs from an OCPP version."""

from __future__ import annotations

from typing import Literal, Protocol
from uuid import UUID

from csms.clock import Clock
from csms.domain.commands import AnyCommand
from csms.domain.operations import RecordStreamValues, Registration
from csms.tenants import TenantConfig
from gateway.effects import Effect

Verdict = Literal["accepted", "rejected"]


class UnsupportedCommand(Exception):
    """This OCPP version has no such command; the message says so to whoever ordered it."""


class StationContext(Protocol):
    """What a handler may know of the station whose message it handles."""

    registration: Registration
    """The last answer to a BootNotification, also of earlier connections. The connection takes it from the outcome of a
    `BootStation` by itself."""

    @property
    def tenant(self) -> TenantConfig: ...

    @property
    def tenant_id(self) -> int: ...

    @property
    def station_id(self) -> int: ...

    @property
    def identity(self) -> str: ...

    @property
    def epoch(self) -> int: ...

    @property
    def ocpp_version(self) -> str:
        """The sub-protocol name, such as "ocpp1.6"."""
        ...

    @property
    def certificate_name(self) -> str | None:
        """The name in the certificate by which the station signed in; None below security profile 3."""
        ...

    @property
    def clock(self) -> Clock: ...


class Version(Protocol):
    """One OCPP version: messages to operations, commands to messages. Never awaits, never touches sockets or SQL."""

    @property
    def name(self) -> str:
        """The sub-protocol name, such as "ocpp1.6"; also the name of its type table."""
        ...

    def handle(self, context: StationContext, action: str, payload: bytes) -> Effect:
        """What to do for a CALL whose payload the codec has validated."""
        ...

    def handle_send(self, context: StationContext, action: str, payload: bytes) -> RecordStreamValues | None:
        """What to do for a SEND (OCPP 2.1) whose payload the codec has validated; None when nothing can be done."""
        ...

    def to_call(self, command: AnyCommand, command_id: UUID, context: StationContext) -> tuple[str, bytes]:
        """(action, payload JSON) of a command; ids that the payload needs are derived from `command_id`.

        Raises UnsupportedCommand.
        """
        ...

    def read_result(self, action: str, payload: bytes) -> tuple[Verdict, bytes]:
        """(status, result JSON) of a validated answer to `action`."""
        ...
