"""The bus between processes and hosts, on publish/subscribe of Redis or Valkey, one server or a cluster."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import structlog
import trio
from coredis import Redis
from coredis.commands.constants import CommandName
from coredis.patterns.pubsub import PubSub
from coredis.retry import NoRetryPolicy

from csms.bus.port import BusUnavailable, Counted, Handler, NoAnswer
from csms.bus.redis_keys import PREFIX, RedisKeys, exits, reason
from csms.bus.redis_servers import RedisServers
from csms.bus.subscribers import Subscribers
from csms.clock import Ids, SystemClock, SystemIds
from csms.health import HealthRegistry

log = structlog.get_logger()

# what it raises it logs as well, with its traceback; here that is told in one line
logging.getLogger("coredis").setLevel(logging.CRITICAL)

_CONCURRENT: Final = 100
_PUBLISH_TIMEOUT_S: Final = 0.5
_CONNECT_TIMEOUT_S: Final = 3.0
_SILENCE_S: Final = 10.0
_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 2.0
_CLAIM_S: Final = 60
_BEAT_EVERY_S: Final = 0.5
_BEAT_LIMIT_S: Final = 0.5
"""How long a message of ours to ourselves may take before the bus counts as away."""
_GIVE_UP_S: Final = 3.0
"""Seconds without such a message after which another connection is made, on a cluster to another server."""
_LATE_S: Final = 5.0
_MOST_LATE: Final = 1000
"""What could not be published is, when Redis is back so soon: others may not have noticed that it was away."""


class _Question(msgspec.Struct, array_like=True):
    """A request on the wire. `timeout` in seconds, after which nobody waits for the answer."""

    id: str
    reply_to: str
    timeout: float
    body: bytes


class _Reply(msgspec.Struct, array_like=True):
    id: str
    body: bytes


class _Silent(Exception):
    """The server takes what is sent and gives nothing back."""


class RedisBus:
    """Publishes through one Redis server at a time. Use as an async context: it owns the tasks that keep the connection.

    In a cluster any server carries messages to all others, so the bus needs but one of them; when it fails the next is taken.
    While Redis is away or hangs `publish` and `request` raise BusUnavailable at once; subscriptions stay and go on when it is back.
    """

    def __init__(self, url: str, *, ids: Ids | None = None, health: HealthRegistry | None = None) -> None:
        """`url` may name several servers (`RedisServers`)."""
        self._servers = RedisServers(url)
        self._keys = RedisKeys()
        self._ids = ids or SystemIds(SystemClock())
        self._health = health or HealthRegistry()
        self._reply_to = f"reply.{self._ids.token(16).hex()}"
        self._pubsub: PubSub[bytes] | None = None
        self._is_cluster = False
        self._alive = False
        self._changed = trio.Event()
        self._beat_heard = trio.Event()
        self._late: deque[tuple[float, str, bytes]] = deque(maxlen=_MOST_LATE)
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

    @property
    def connected(self) -> bool:
        return self._alive

    async def until_changed(self) -> None:
        await self._changed.wait()

    async def publish(self, topic: str, body: bytes) -> None:
        try:
            await self._publish(topic, body)
        except BusUnavailable:
            self._late.append((trio.current_time(), topic, body))
            raise

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
                receivers = await self._publish(_served(topic), msgspec.msgpack.encode(question))
                if not receivers and not self._is_cluster:  # a server of a cluster counts its own clients only
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

    async def add(self, amounts: Mapping[str, int], period_s: float) -> dict[str, Counted]:
        if not self._alive:
            raise BusUnavailable("Redis does not answer")
        return await self._keys.add(amounts, period_s)

    async def _publish(self, topic: str, body: bytes) -> int:
        """The number of processes that received it, as far as the server knows."""
        if not self._alive:
            raise BusUnavailable("Redis does not answer")
        try:
            return await self._send(topic, body)
        except Exception as error:  # whatever the client library throws: callers have a fallback for one kind
            # until a message of our own comes back
            self._is_away("Redis does not answer")
            raise BusUnavailable(f"Redis: {reason(error)}") from error

    async def _send(self, topic: str, body: bytes) -> int:
        pubsub = self._pubsub
        if pubsub is None:
            raise BusUnavailable("Redis is not connected")
        with trio.fail_after(_PUBLISH_TIMEOUT_S):
            # on the connection that is there: to take one from the client's pool for each message costs as much again
            receivers: Any = await pubsub.connection.create_request(CommandName.PUBLISH, PREFIX + topic, body)
            return int(receivers)

    async def _listen(self, topic: str) -> None:
        """Without a connection nothing is done: the next one listens to every topic that is wanted then."""
        if self._pubsub is not None and self._alive:
            try:
                await self._pubsub.subscribe(PREFIX + topic)
            except Exception as error:  # noqa: BLE001 - as above; the next connection listens to everything
                log.debug("bus.subscribe_failed", error=str(error))

    async def _stop_listening(self, topic: str) -> None:
        if self._pubsub is not None and self._alive:
            try:
                with trio.move_on_after(_PUBLISH_TIMEOUT_S, shield=True):
                    await self._pubsub.unsubscribe(PREFIX + topic)
            except Exception as error:  # noqa: BLE001 - as above
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
                        self._lives()
                        first_try.set()
                        async with trio.open_nursery() as nursery:
                            nursery.start_soon(self._read, pubsub)
                            await self._publish_late()
                            await self._beat(pubsub)
            except BaseException as error:  # noqa: BLE001 - the boundary: whatever the client library throws ends one connection
                passing = exits(error)
                if passing is not None:
                    raise passing from None
                # once: while it is away every other second brings the same
                tell = log.warning if self._alive or not first_try.is_set() else log.debug
                tell("bus.connection_lost", error=reason(error))
                self._servers.next()
            finally:
                self._pubsub = None
            self._is_away("Redis is not connected")
            first_try.set()
            await trio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY_S)

    async def _connect(self, stack: AsyncExitStack) -> PubSub[bytes]:
        client: Redis[bytes] = await stack.enter_async_context(
            Redis.from_url(
                self._servers.current,
                retry_policy=NoRetryPolicy(),
                connect_timeout=_CONNECT_TIMEOUT_S,
                stream_timeout=_SILENCE_S,
            )
        )
        self._is_cluster = bool((await client.info("cluster")).get("cluster_enabled"))
        if self._is_cluster:
            slots = await client.cluster_slots()
            self._servers.tell((str(node["host"]), int(node["port"])) for nodes in slots.values() for node in nodes if node["host"])
            await stack.enter_async_context(self._keys.on_cluster(self._servers))
        else:
            await stack.enter_async_context(self._keys.on_server(client))
        topics = [self._reply_to, *self._subscribers.topics, *self._handlers]
        pubsub: PubSub[bytes] = await stack.enter_async_context(
            client.pubsub(channels=[PREFIX + topic for topic in topics], retry_policy=NoRetryPolicy())
        )
        self._pubsub = pubsub
        await self._listen_to_all(pubsub)
        return pubsub

    async def _listen_to_all(self, pubsub: PubSub[bytes]) -> None:
        """Subscribe to what was asked for while the connection was being made, or hung."""
        heard = {channel if isinstance(channel, str) else bytes(channel).decode() for channel in pubsub.channels}
        missing = [PREFIX + topic for topic in (*self._subscribers.topics, *self._handlers) if PREFIX + topic not in heard]
        if missing:
            await pubsub.subscribe(*missing)

    async def _read(self, pubsub: PubSub[bytes]) -> None:
        while True:
            self._dispatch(await pubsub.get_message())

    async def _beat(self, pubsub: PubSub[bytes]) -> None:
        """Send ourselves a message twice a second: the whole way there and back is what others rely on. Raises _Silent."""
        heard_at = trio.current_time()
        while True:
            self._beat_heard = heard = trio.Event()
            with trio.move_on_after(_BEAT_LIMIT_S):
                await self._send(self._reply_to, b"")
                await heard.wait()
            if heard.is_set():
                heard_at = trio.current_time()
                if not self._alive:
                    await self._listen_to_all(pubsub)
                    self._lives()
                    await self._publish_late()
            else:
                self._is_away("Redis does not answer")
                if trio.current_time() - heard_at > _GIVE_UP_S:
                    raise _Silent("the server does not answer")
            await trio.sleep(_BEAT_EVERY_S)

    async def _publish_late(self) -> None:
        oldest = trio.current_time() - _LATE_S
        while self._late:
            since, topic, body = self._late.popleft()
            if since >= oldest:
                await self._send(topic, body)

    def _lives(self) -> None:
        self._health.report("bus", "ok", "a cluster" if self._is_cluster else "")
        self._set_alive(alive=True)

    def _is_away(self, detail: str) -> None:
        self._health.report("bus", "degraded", detail)
        self._set_alive(alive=False)

    def _set_alive(self, *, alive: bool) -> None:
        if alive is not self._alive:
            self._alive = alive
            (log.info if alive else log.warning)("bus.connected" if alive else "bus.away")
            self._changed.set()
            self._changed = trio.Event()

    def _dispatch(self, message: object) -> None:
        if not isinstance(message, dict) or message.get("type") != "message":
            return
        topic = bytes(message["channel"]).decode().removeprefix(PREFIX)
        body = bytes(message["data"])
        if topic == self._reply_to:
            self._hand_over(body)
        elif topic in self._handlers:
            self._take_question(topic, body)
        else:
            self._subscribers.hand_out(topic, body)

    def _hand_over(self, body: bytes) -> None:
        if not body:
            self._beat_heard.set()
            return
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
        """Several processes may serve a topic: the first to claim a question answers it. Better twice than not at all."""
        try:
            return await self._keys.claim(f"claim.{question}", _CLAIM_S)
        except BusUnavailable:
            return True


def _served(topic: str) -> str:
    return f"request.{topic}"
