"""Stations that send what no station should, many at once, to a server process of its own (attacks V10 to V12, V15).

What each message is answered with is tested elsewhere (tests/conformance, tests/unit/native); here it is that the process
takes no harm: memory stays flat, and an honest station goes on being served.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import pytest

from csms.postgres import EmbeddedPostgres
from csms.secret import RootSecret
from tests.conformance.wire import BINARY, TEXT, Closed, Station, frame
from tests.e2e.running import RunningServer
from tests.security.hostile import MIB, Arena, serving

LIMIT = 64 * 1024
"""Bytes of a message of OCPP 1.6."""
CONTINUATION = 0


@pytest.fixture(scope="module")
def server(
    postgres: EmbeddedPostgres, migrated_template: str, root_secret: RootSecret, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    with serving(postgres, migrated_template, root_secret, tmp_path_factory.mktemp("hostile")) as server:
        yield server


@pytest.fixture
def arena(server: RunningServer) -> Iterator[Arena]:
    with Arena(server) as arena:
        yield arena


def _data_transfer(data: str) -> str:
    return f'[2,"x","DataTransfer",{{"vendorId":"v","data":{data}}}]'


def _of(size: int, piece: str, between: str = ",") -> str:
    return between.join([piece] * (size // (len(piece) + len(between))))


_NOT_JSON = {
    "deep nesting": _data_transfer("[" * 30_000 + "]" * 30_000),
    "deep nesting of objects": _data_transfer('{"a":' * 10_000 + "1" + "}" * 10_000),
    "never closed": "[" * 60_000,
    "one name again and again": _data_transfer("{" + _of(60_000, '"a":1') + "}"),
    "equal names, one escaped": _data_transfer('{"ab":1,"\\u0061b":2}'),
    "ten thousand names": _data_transfer("{" + ",".join(f'"k{number}":1' for number in range(6_000)) + "}"),
    "a name of 60 kB": _data_transfer('{"' + "n" * 60_000 + '":1,"' + "n" * 4 + '":' + "}"),
    "NUL escaped": _data_transfer('"' + "\\u0000" * 10_000 + '"'),
    "NUL itself": _data_transfer('"' + "\x00" * 60_000 + '"'),
    "lone surrogates": _data_transfer('"' + "\\ud800" * 10_000 + '"'),
    "a number of 60,000 digits": _data_transfer("9" * 60_000),
    "an exponent beyond all": _data_transfer("1e" + "9" * 30),
    "the least exponent": _data_transfer("1e-2147483648"),
    "a list of 30,000": _data_transfer("[" + _of(60_000, "0") + "]"),
    "a text that does not end": '[2,"x","DataTransfer",{"vendorId":"' + "\\" * 60_000,
}


def test_messages_that_are_no_json(arena: Arena) -> None:
    """Silence in 1.6 (row 2), whatever it is and however often it comes."""
    station = arena.booted()
    with arena.attacked(allowed=12 * MIB):
        for name, text in _NOT_JSON.items():
            assert len(text) <= LIMIT, name
            data = frame(TEXT, text.encode())
            for _ in range(40):
                station.wire.socket.sendall(data)
            assert "currentTime" in station.call("Heartbeat", {}), name


def _last_word(station: Station) -> int:
    """The code that the server closes with; 1006 when its word got lost because it was not sent everything."""
    try:
        return station.wire.closed_with()
    except ConnectionError:
        return 1006


def _send(station: Station, data: bytes) -> None:
    try:
        station.wire.socket.sendall(data)
    except ConnectionError:
        pass  # the server hung up before it was all sent


def _bomb(megabytes: int) -> bytes:
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = machine.compress(bytes(MIB)) + machine.flush(zlib.Z_FULL_FLUSH)
    return (block * megabytes).removesuffix(b"\x00\x00\xff\xff")


def _too_long() -> bytes:
    return frame(TEXT, b"x" * (2 * MIB))


def _announced() -> bytes:
    return bytes([0x81, 0xFF]) + ((1 << 63) - 1).to_bytes(8) + bytes(4) + b"x" * 1_000


def _binary() -> bytes:
    return frame(BINARY, b"x" * 50_000) * 4


def _bomb_of_60_megabytes() -> bytes:
    return frame(TEXT, _bomb(60), compressed=True)


def _empty_fragments() -> bytes:
    return frame(TEXT, b"", final=False) + frame(CONTINUATION, b"", final=False) * 20_000


def _endless_message_in_fragments() -> bytes:
    return frame(TEXT, b"x" * 1_000, final=False) + frame(CONTINUATION, b"x" * 1_000, final=False) * 2_000


@pytest.mark.parametrize(
    ("attack", "codes"),
    [
        (_too_long, {1009}),
        (_announced, {1009}),
        (_binary, {1003}),
        (_bomb_of_60_megabytes, {1009}),
        (_empty_fragments, {1008}),
        (_endless_message_in_fragments, {1009}),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_a_hundred_at_once_are_closed(arena: Arena, attack: Callable[[], bytes], codes: set[int]) -> None:
    stations = [arena.booted(deflate=attack is _bomb_of_60_megabytes) for _ in range(100)]
    data = attack()
    with arena.attacked(allowed=12 * MIB):
        for station in stations:
            _send(station, data)
        seen = {_last_word(station) for station in stations}
    assert seen & codes
    assert seen <= codes | {1006}


def test_messages_that_are_never_complete(arena: Arena) -> None:
    """Each may hold what the limit of a message allows, and not more: what came last is missing, for all of them."""
    stations = [arena.booted() for _ in range(150)]
    nearly = frame(TEXT, b"x" * LIMIT)[:-1]
    with arena.attacked(allowed=150 * 2 * LIMIT):
        for station in stations:
            for start in range(0, len(nearly), 8_000):
                station.wire.socket.sendall(nearly[start : start + 8_000])


def test_messages_in_one_byte_fragments(arena: Arena) -> None:
    """A byte in a frame of its own costs the sender seven; it must not cost us more than the message."""
    stations = [arena.booted() for _ in range(60)]
    text = _data_transfer('"' + "y" * 2_000 + '"').encode()
    with arena.attacked(allowed=12 * MIB):
        for start in range(0, len(text), 200):
            part = b"".join(
                frame(
                    TEXT if start + at == 0 else CONTINUATION, text[start + at : start + at + 1], final=start + at + 1 == len(text)
                )
                for at in range(min(200, len(text) - start))
            )
            for station in stations:
                station.wire.socket.sendall(part)
        for station in stations:
            assert station.receive()[:2] == [3, "x"]


def test_closed_connections_leave_nothing_behind(arena: Arena) -> None:
    """A thousand stations that break the protocol, one after the other."""
    with arena.attacked(allowed=8 * MIB):
        for number in range(300):
            station = arena.booted()
            _send(station, b"\xff" * 100 if number % 2 else frame(TEXT, b"\xff" * 60_000))
            with pytest.raises(Closed):
                station.wire.receive()
            station.wire.socket.close()
