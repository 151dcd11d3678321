"""A version as two tables: station messages to handlers, domain commands to messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from csms.domain.commands import AnyCommand, Command
from csms.domain.operations import RecordStreamValues
from gateway.common.metered import Metered, MeteredPayloads, MeteredRequest
from gateway.effects import Effect, Refuse
from gateway.versions import StationContext, UnsupportedCommand, Verdict
from schemas.structs import ClosedObject
from schemas.wire import encode

Request = TypeVar("Request", bound=ClosedObject)
MeasuringRequest = TypeVar("MeasuringRequest", bound=MeteredRequest[Any])

Call = tuple[str, ClosedObject]
"""The action and the request object of a CALL to a station."""

CommandTable = Mapping[type[Command], Callable[[Any, UUID], Call]]


@dataclass(frozen=True, slots=True)
class Route(Generic[Request]):
    """One action a station may call. The handler also gets the payload as received, for what is kept byte-exact."""

    action: str
    request: type[Request]
    handle: Callable[[StationContext, Request, bytes], Effect]

    def reader(self) -> Callable[[bytes], Request]:
        """What the handler gets is read by this. Raises msgspec.DecodeError."""
        return msgspec.json.Decoder(self.request).decode


@dataclass(frozen=True, slots=True)
class MeteredRoute(Generic[MeasuringRequest]):
    """An action that may measure something: its handler gets the request with what it measures."""

    action: str
    request: type[MeasuringRequest]
    payloads: MeteredPayloads[Any]
    handle: Callable[[StationContext, tuple[MeasuringRequest, Metered], bytes], Effect]

    def reader(self) -> Callable[[bytes], tuple[MeasuringRequest, Metered]]:
        """As that of a `Route`."""
        return partial(self.payloads.take, msgspec.json.Decoder(self.request).decode)


@dataclass(frozen=True, slots=True)
class SendRoute(Generic[Request]):
    """One action that a station may SEND (OCPP 2.1): there is no answer, only an operation."""

    action: str
    request: type[Request]
    handle: Callable[[StationContext, Request, bytes], RecordStreamValues]


class RoutedVersion:
    """A `gateway.versions.Version` made of tables."""

    __slots__ = ("_commands", "_malformed", "_routes", "_sends", "_verdict", "name")

    def __init__(
        self,
        name: str,
        *,
        routes: Iterable[Route[Any] | MeteredRoute[Any]],
        sends: Iterable[SendRoute[Any]] = (),
        commands: CommandTable,
        verdict: Callable[[str, bytes], Verdict],
        malformed: str,
    ) -> None:
        """`malformed` is this version's error code for a payload that does not fit its definition."""
        self.name = name
        self._routes = {row.action: (row.reader(), row.handle) for row in routes}
        self._sends = {row.action: (msgspec.json.Decoder(row.request).decode, row.handle) for row in sends}
        self._commands = commands
        self._verdict = verdict
        self._malformed = malformed

    def handle(self, context: StationContext, action: str, payload: bytes) -> Effect:
        """What to do for a CALL; one without a route is refused with NotSupported (ocpp-j-rules section 3, row 11)."""
        route = self._routes.get(action)
        if route is None:
            return Refuse(code="NotSupported", description=f"{action} is not supported")
        read, handler = route
        try:
            request = read(payload)
        except msgspec.DecodeError as error:
            # the codec has checked every payload, so this is one it was told to let through; the text names the field
            return Refuse(code=self._malformed, description=str(error))
        return handler(context, request, payload)

    def handle_send(self, context: StationContext, action: str, payload: bytes) -> RecordStreamValues | None:
        """What to do for a valid SEND; None for an action without a route."""
        route = self._sends.get(action)
        if route is None:
            return None
        decode, handler = route
        return handler(context, decode(payload), payload)

    def to_call(self, command: AnyCommand, command_id: UUID, context: StationContext) -> tuple[str, bytes]:
        """(action, payload JSON) of a command; ids that the payload needs come from `command_id`.

        Raises UnsupportedCommand.
        """
        build = self._commands.get(type(command))
        if build is None:
            raise UnsupportedCommand(f"{context.ocpp_version} has no such command")
        action, request = build(command, command_id)
        return action, encode(request)

    def read_result(self, action: str, payload: bytes) -> tuple[Verdict, bytes]:
        """(verdict, result JSON) of a validated answer to `action`; the result is the answer as received."""
        return self._verdict(action, payload), payload
