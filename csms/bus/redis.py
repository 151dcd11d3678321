"""The bus between processes and hosts, on Redis (or Valkey) publish/subscribe."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Final, Self

import msgspec
import structlog
import trio
from coredis import PureToken, Redis
from coredis.exceptions import RedisError
from coredis.patterns.pubsub import PubSub
from coredis.retry import NoRetryPolicy

from csms.bus.port import BusUnavailable, Handler, NoAnswer
from csms.bus.subscribers import Subscribers
from csms.clock import Ids, SystemClock, SystemIds
from csms.health import HealthRegistry

log = structlog.get_logger()

_PREFIX: Final = "csms."
_CONCURRENT: Final = 100
_PUBLISH_TIMEOUT_S: Final = 2.0
_CONNECT_TIMEOUT_S: Final = 3.0
_SILENCE_S: Final = 10.0
_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 2.0
_CLAIM_S: Final = 60

_AWAY: Final = (RedisError, OSError, TimeoutError, trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError)


class _Question(msgspec.Struct, array_like=True):
    """A request on the wire. `timeout` in seconds, after which nobody waits for the answer."""

    id: str
    reply_to: str
    timeout: float
    body: bytes


class _Reply(msgspec.Struct, array_like=True):
    id: str
    body: bytes


class RedisBus:
    """Publishes through one Redis server. Use as an async context: it owns the tasks that keep the connection.

    While Redis is away `publish` and `request` raise BusUnavailable at once; subscriptions stay and go on when it is back.
    """

    def __init__(self, url: str, *, ids: Ids | None = None, health: HealthRegistry | None = None) -> None:
        self._url = url
        self._ids = ids or SystemIds(SystemClock())
        self._health = health or HealthRegistry()
        self._reply_to = f"reply.{self._ids.token(16).hex()}"
        self._client: Redis[bytes] | None = None
        self._pubsub: PubSub[bytes] | None = None
        self._subscribers = Subscribers()
        self._handlers: dict[str, Handler] = {}
        self._running = 0
        self._waiting: dict[str, trio.MemorySendChannel[bytes]] = {}
        self._exit = AsyncExitStack()
        self._nursery: trio.Nursery

    async def __aenter__(self) -> Self:
        """Returns when Redis has answered, or after the connect time-out: the bus then starts without it."""
        self._nursery = await self._exit.enter_async_context(trio.open_nursery())
        first_try = trio.Event()
        self._nursery.start_soon(self._keep_connected, first_try)
        await first_try.wait()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._nursery.cancel_scope.cancel(reason="the bus is closed")
        await self._exit.__aexit__(kind, error, trace)
        self._subscribers.end_all()

    async def publish(self, topic: str, body: bytes) -> None:
        await self._publish(topic, body)

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[trio.MemoryReceiveChannel[bytes]]:
        first = not self._subscribers.listening(topic)
        try:
            with self._subscribers.open(topic) as receive:
                if first:
                    await self._listen(topic)
                yield receive
        finally:
            if not self._subscribers.listening(topic):
                await self._stop_listening(topic)

    async def request(self, topic: str, body: bytes, timeout: float) -> bytes:
        question = _Question(self._ids.token(16).hex(), self._reply_to, timeout, body)
        send, receive = trio.open_memory_channel[bytes](1)
        self._waiting[question.id] = send
        try:
            with trio.move_on_after(timeout):
                if not await self._publish(_served(topic), msgspec.msgpack.encode(question)):
                    raise NoAnswer(f"nobody serves {topic}")
                return await receive.receive()
            raise NoAnswer(f"no answer on {topic} within {timeout:g} s")
        finally:
            del self._waiting[question.id]
            send.close()
            receive.close()

    @asynccontextmanager
    async def serve(self, topic: str, handler: Handler) -> AsyncIterator[None]:
        served = _served(topic)
        if served in self._handlers:
            raise ValueError(f"{topic} is served already")
        self._handlers[served] = handler
        try:
            await self._listen(served)
            yield
        finally:
            del self._handlers[served]
            await self._stop_listening(served)

    async def _publish(self, topic: str, body: bytes) -> int:
        """The number of processes that received it."""
        client = self._client
        if client is None:
            raise BusUnavailable("Redis is not connected")
        try:
            with trio.fail_after(_PUBLISH_TIMEOUT_S):
                return int(await client.publish(_PREFIX + topic, body))
        except _AWAY as error:
            raise BusUnavailable(f"Redis: {error}") from error

    async def _listen(self, topic: str) -> None:
        """Without a connection nothing is done: the next one listens to every topic that is wanted then."""
        if self._pubsub is not None:
            try:
                await self._pubsub.subscribe(_PREFIX + topic)
            except _AWAY as error:
                log.debug("bus.subscribe_failed", error=str(error))

    async def _stop_listening(self, topic: str) -> None:
        if self._pubsub is not None:
            try:
                with trio.move_on_after(_PUBLISH_TIMEOUT_S, shield=True):
                    await self._pubsub.unsubscribe(_PREFIX + topic)
            except _AWAY as error:
                log.debug("bus.unsubscribe_failed", error=str(error))

    async def _keep_connected(self, first_try: trio.Event) -> None:
        delay = _FIRST_DELAY_S
        while True:
            try:
                with trio.fail_after(_CONNECT_TIMEOUT_S) as connecting:
                    async with AsyncExitStack() as stack:
                        pubsub = await self._connect(stack)
                        connecting.deadline = float("inf")
                        delay = _FIRST_DELAY_S
                        self._health.report("bus", "ok")
                        first_try.set()
                        while True:
                            self._dispatch(await pubsub.get_message())
            except BaseException as error:  # noqa: BLE001 - the boundary: whatever the client library throws ends one connection
                passing = _exits(error)
                if passing is not None:
                    raise passing from None
                log.warning("bus.connection_lost", error=_reason(error))
                self._health.report("bus", "degraded", "Redis is not connected")
            finally:
                self._client = self._pubsub = None
            first_try.set()
            await trio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY_S)

    async def _connect(self, stack: AsyncExitStack) -> PubSub[bytes]:
        client: Redis[bytes] = await stack.enter_async_context(
            Redis.from_url(self._url, retry_policy=NoRetryPolicy(), connect_timeout=_CONNECT_TIMEOUT_S, stream_timeout=_SILENCE_S)
        )
        topics = [self._reply_to, *self._subscribers.topics, *self._handlers]
        pubsub: PubSub[bytes] = await stack.enter_async_context(
            client.pubsub(channels=[_PREFIX + topic for topic in topics], retry_policy=NoRetryPolicy())
        )
        self._client, self._pubsub = client, pubsub
        # what was asked for while the subscriptions above were on their way
        late = [topic for topic in (*self._subscribers.topics, *self._handlers) if topic not in topics]
        if late:
            await pubsub.subscribe(*(_PREFIX + topic for topic in late))
        return pubsub

    def _dispatch(self, message: object) -> None:
        if not isinstance(message, dict) or message.get("type") != "message":
            return
        topic = bytes(message["channel"]).decode().removeprefix(_PREFIX)
        body = bytes(message["data"])
        if topic == self._reply_to:
            self._hand_over(body)
        elif topic in self._handlers:
            self._take_question(topic, body)
        else:
            self._subscribers.hand_out(topic, body)

    def _hand_over(self, body: bytes) -> None:
        try:
            reply = msgspec.msgpack.decode(body, type=_Reply)
            waiting = self._waiting.get(reply.id)
            if waiting is not None:
                waiting.send_nowait(reply.body)
        except (msgspec.DecodeError, trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
            log.debug("bus.reply_dropped")

    def _take_question(self, topic: str, body: bytes) -> None:
        if self._running >= _CONCURRENT:
            log.warning("bus.overloaded", topic=topic)
            return
        try:
            question = msgspec.msgpack.decode(body, type=_Question)
        except msgspec.DecodeError:
            log.warning("bus.bad_question", topic=topic)
            return
        self._running += 1
        self._nursery.start_soon(self._answer, self._handlers[topic], question)

    async def _answer(self, handler: Handler, question: _Question) -> None:
        try:
            with trio.move_on_after(question.timeout):
                if await self._claim(question.id):
                    answer = await handler(question.body)
                    await self._publish(question.reply_to, msgspec.msgpack.encode(_Reply(question.id, answer)))
        except BusUnavailable:
            log.debug("bus.answer_lost")
        except Exception as error:
            log.error("bus.handler_failed", exc_info=error)
        finally:
            self._running -= 1

    async def _claim(self, question: str) -> bool:
        """Several processes may serve a topic: the first to claim a question answers it."""
        client = self._client
        if client is None:
            return False
        try:
            return bool(await client.set(f"{_PREFIX}claim.{question}", b"", condition=PureToken.NX, ex=_CLAIM_S))
        except _AWAY:
            return False


def _served(topic: str) -> str:
    return f"request.{topic}"


def _exits(error: BaseException) -> BaseException | None:
    """The cancellation or exit in it: the library wraps that together with errors of its own."""
    kinds = (trio.Cancelled, KeyboardInterrupt, SystemExit)
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(kinds)
    return error if isinstance(error, kinds) else None


def _reason(error: BaseException) -> str:
    """The first cause inside a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
