"""The log of OCPI messages: written behind the messages, in batches; what it has no room for is counted and dropped."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
import trio

from csms.clock import Clock, Ids
from csms.store import Database, StoreUnavailable
from csms.store.queries import ocpi_messages
from csms.store.queries.ocpi_messages import LoggedMessage, Message
from hub.ocpi import metrics
from hub.ocpi.message import OcpiRequest, OcpiResponse
from schemas.ocpi221.base import Remark
from schemas.ocpi221.headers import Party
from schemas.ocpi221.urls import join_url

log = structlog.get_logger()

ROOM: Final = 5_000
"""Messages that may wait to be written."""
BATCH: Final = 500
EVERY_S: Final = 0.5
LONGEST_BODY: Final = 8_000
"""Characters that are kept of a body."""

_LEFT_OUT: Final = "…"


class MessageLog:
    """`record` never waits and never raises; `run` writes."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._send, self._receive = trio.open_memory_channel[tuple[int, LoggedMessage]](ROOM)

    def record(
        self,
        tenant_id: int,
        direction: ocpi_messages.Direction,
        request: OcpiRequest,
        response: OcpiResponse,
        *,
        seconds: float,
        partner_id: UUID | None = None,
        version: str | None = None,
        remarks: tuple[Remark, ...] = (),
    ) -> None:
        """Note a message and its answer. `direction`: in, out, or inside for what never left this process."""
        metrics.MESSAGES.labels(direction, request.module, "ok" if response.successful else "failed").inc()
        said = [{"field": remark.field, "rule": remark.rule, "text": remark.text} for remark in (*remarks, *response.remarks)]
        message = Message(
            message_id=self._ids.uuid7(),
            recorded_at=self._clock.now(),
            direction=direction,
            partner_id=partner_id,
            ocpi_version=version,
            module=request.module,
            role=request.role,
            method=request.method,
            path=_path(request),
            from_party=_party(request.headers.from_party),
            to_party=_party(request.headers.to_party or response.message.from_party),
            request_id=request.headers.request_id,
            correlation_id=request.headers.correlation_id,
            http_status=response.http_status if response.failure is None else None,
            status_code=int(response.status_code),
            status_message=response.failure or response.status_message,
            duration_ms=int(seconds * 1000),
            remarks=len(said),
        )
        logged = LoggedMessage(message, _body(request.module, request.body), _body(request.module, response.data), said)
        try:
            self._send.send_nowait((tenant_id, logged))
        except trio.WouldBlock:
            metrics.UNLOGGED.inc()

    async def run(self) -> None:
        """Write what is recorded. Runs until cancelled; what is there then is still written."""
        batch: list[tuple[int, LoggedMessage]] = []
        try:
            while True:
                batch = [await self._receive.receive()]
                await trio.sleep(EVERY_S)
                batch += self._waiting(BATCH - 1)
                with trio.CancelScope(shield=True):  # within the database's own limit; half of it would be written twice
                    await self._write(batch)
                batch = []
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(2):
                while batch := batch or self._waiting(BATCH):
                    await self._write(batch)
                    batch = []

    def _waiting(self, most: int) -> list[tuple[int, LoggedMessage]]:
        found: list[tuple[int, LoggedMessage]] = []
        while len(found) < most:
            try:
                found.append(self._receive.receive_nowait())
            except trio.WouldBlock:
                break
        return found

    async def _write(self, batch: list[tuple[int, LoggedMessage]]) -> None:
        by_tenant: dict[int, list[LoggedMessage]] = {}
        for tenant_id, message in batch:
            by_tenant.setdefault(tenant_id, []).append(message)
        for tenant_id, messages in by_tenant.items():
            await self._write_of(tenant_id, messages)

    async def _write_of(self, tenant_id: int, messages: list[LoggedMessage]) -> None:
        try:
            await self._database.tenant_unit(tenant_id, lambda conn: ocpi_messages.insert_messages(conn, tenant_id, messages))
        except StoreUnavailable as error:
            metrics.UNLOGGED.inc(len(messages))
            log.warning("ocpi.messages_not_logged", tenant_id=tenant_id, count=len(messages), error=str(error))


def _party(party: Party | None) -> str | None:
    return None if party is None else f"{party.country_code}-{party.party_id}".upper()


def _path(request: OcpiRequest) -> str:
    """Where it went, shortened. The key of a response URL may be in it: it is of use only to the platform that was given it."""
    if request.url is not None:
        return request.url.partition("?")[0][:1000]
    path = join_url("", *(segment for segment in request.segments if segment not in ("", ".", "..")), query=request.query)
    return path[:1000]


def _body(module: str, body: Any) -> str | None:
    if body is None:
        return None
    try:
        if module == "credentials":
            body = _without_tokens(msgspec.to_builtins(body, enc_hook=_of_object))
        text = msgspec.json.encode(body, enc_hook=_of_object).decode()
    except (msgspec.EncodeError, TypeError, UnicodeError, RecursionError):
        return None
    text = text.replace("\\u0000", "")
    return text if len(text) <= LONGEST_BODY else text[:LONGEST_BODY] + _LEFT_OUT


def _without_tokens(body: Any) -> Any:
    """Whatever a partner has made of its credentials: a token may be anywhere in it."""
    if isinstance(body, dict):
        return {name: _LEFT_OUT if str(name).lower() == "token" else _without_tokens(value) for name, value in body.items()}
    return [_without_tokens(item) for item in body] if isinstance(body, list) else body


def _beginning(items: list[Any]) -> list[Any]:
    """As many of a list as can be kept, and one more: a page of locations has megabytes."""
    kept, size = [], 0
    for item in items:
        if size > LONGEST_BODY:
            break
        kept.append(item)
        size += len(bytes(item)) if isinstance(item, msgspec.Raw) else LONGEST_BODY // 50
    return kept


def _of_object(value: object) -> object:
    raise TypeError(f"{type(value).__name__} is no document")
