"""The native codec: one sans-I/O machine per station connection (native/codec behind native/python), and the thread that reads
the sockets for it (native/receiver).

Bytes in, event tuples out, and encoders for what goes out. The codec knows no sockets and no clock. Row numbers are those of the
table of checks on an inbound OCPP-J frame; a :class:`Fault` names the first one that failed.
"""

from typing import Any, Final, Literal, TypeAlias, final

__all__ = [
    "BAD_REQUEST",
    "CALL",
    "CLOSED",
    "DROPPED",
    "ERROR",
    "INVALID_CALL",
    "INVALID_RESULT",
    "PONG",
    "REPLY",
    "RESULT",
    "RESULT_ERROR",
    "SEND",
    "UNMATCHED",
    "UPGRADE",
    "VIOLATION",
    "Catalogue",
    "Connection",
    "Fault",
    "InvalidPayload",
    "Limits",
    "MeterReader",
    "Receiver",
    "send",
]

UPGRADE: Final = 1
"""``(UPGRADE, method, target, headers, subprotocols, deflate_offered)``: a right upgrade; accept or reject it. Header names
are lower case, values latin-1 text; ``target`` is as sent."""
BAD_REQUEST: Final = 2
"""``(BAD_REQUEST, status, reason, response)``: not an upgrade; send ``response`` and close the socket."""
CALL: Final = 3
"""``(CALL, message_id, action, payload, digest)``: a CALL that passed every check. ``payload`` is its exact text."""
INVALID_CALL: Final = 4
"""``(INVALID_CALL, message_id, action | None, fault, payload, reply, billing)``: ``reply`` is the CALLERROR frame for it."""
RESULT: Final = 5
"""``(RESULT, message_id, payload)``: the valid answer to a pending CALL."""
INVALID_RESULT: Final = 6
"""``(INVALID_RESULT, message_id, fault, payload)``: an answer that breaks its schema."""
ERROR: Final = 7
"""``(ERROR, message_id, code, description, details)``: the station refused a pending CALL."""
UNMATCHED: Final = 8
"""``(UNMATCHED, message_id, message_type)``: an answer to nothing pending; the id is cut at 36 characters."""
REPLY: Final = 9
"""``(REPLY, frame, reason)``: send ``frame`` at once; reason "pong", "close" or "rpc-error"."""
DROPPED: Final = 10
"""``(DROPPED, reason)``: a frame that is counted and ignored."""
PONG: Final = 11
"""``(PONG, payload)``."""
CLOSED: Final = 12
"""``(CLOSED, code, reason)``: the peer closed (1005: without a code); nothing follows."""
VIOLATION: Final = 13
"""``(VIOLATION, close_code, reason, frame)``: send ``frame`` (may be empty), then drop the connection; nothing follows."""
SEND: Final = 14
"""``(SEND, message_id, action, payload, digest)``: OCPP 2.1, a SEND that passed every check; never answered."""
RESULT_ERROR: Final = 15
"""``(RESULT_ERROR, message_id, code, description, details)``: OCPP 2.1, our answer with this id was not understood."""

_Headers: TypeAlias = list[tuple[str, str]]

_Event: TypeAlias = (
    tuple[Literal[1], str, str, _Headers, list[str], bool]
    | tuple[Literal[2], int, str, bytes]
    | tuple[Literal[3], str, str, bytes, int]
    | tuple[Literal[4], str, str | None, Fault, bytes, bytes, bool]
    | tuple[Literal[5], str, bytes]
    | tuple[Literal[6], str, Fault, bytes]
    | tuple[Literal[7], str, str, str, bytes]
    | tuple[Literal[8], str, int]
    | tuple[Literal[9], bytes, Literal["pong", "close", "rpc-error"]]
    | tuple[Literal[10], str]
    | tuple[Literal[11], bytes]
    | tuple[Literal[12], int, str]
    | tuple[Literal[13], int, str, bytes]
    | tuple[Literal[14], str, str, bytes, int]
    | tuple[Literal[15], str, str, str, bytes]
)
"""For annotations under ``TYPE_CHECKING``; the module has no such name when it runs."""

@final
class Fault:
    """The first failed check of a message."""

    @property
    def row(self) -> int:
        """Row of the table of checks."""
    @property
    def code(self) -> str:
        """Error code in the spelling of the version."""
    @property
    def path(self) -> str:
        """JSON pointer into the payload; empty for the envelope."""
    @property
    def rule(self) -> str:
        """Machine-readable name of the broken rule."""
    @property
    def description(self) -> str:
        """One line: path, rule and limit; at most 255 characters."""

class InvalidPayload(ValueError):
    """A payload breaks its schema."""

    fault: Fault

@final
class Catalogue:
    """All actions of all versions with their payload types, compiled once and shared by every connection."""

    def __new__(cls, tables: bytes) -> Catalogue:
        """Compile the JSON of ``schemas.tables.native_tables()``; ValueError if it is not usable."""
    def validate(self, version: str, action: str, kind: Literal["request", "response"], payload: bytes) -> Fault | None:
        """The first fault of a payload, direction not checked; ValueError for an unknown version."""
    def decode(self, version: str, action: str, kind: Literal["request", "response"], payload: bytes) -> object:
        """The payload as Python objects; InvalidPayload if it has a fault."""

@final
class MeterReader:
    """Reads the meter values of payloads whose schema was checked, with what the caller has made of each layout."""

    def __new__(cls) -> MeterReader: ...
    def read(self, payload: bytes) -> tuple[list[tuple[str, Any, list[str]]], bytes, bytes] | None:
        """``(timestamp, layout, values)`` of each meterValue, the array as it stands, and the payload without it.

        None when a value is no plain decimal, something is escaped or very long, or a layout has not been learnt.
        """
    def learn(self, payload: bytes, layouts: list[Any]) -> None:
        """Remember the layouts of the payload's meter values, in their order; no effect when one is not ordinary."""

@final
class Limits:
    """What a peer may make one connection hold or walk through."""

    def __new__(
        cls,
        *,
        max_message: int = 65_536,
        max_head: int = 8_192,
        max_header_lines: int = 64,
        max_depth: int = 32,
        max_keys: int = 1_000,
        max_items: int = 10_000,
        max_number_length: int = 40,
    ) -> Limits: ...
    @property
    def max_message(self) -> int:
        """Bytes of one message, reassembled and inflated; ``accept`` sets it per connection."""
    @property
    def max_head(self) -> int:
        """Bytes of the HTTP request head, and of frames that come before the decision."""
    @property
    def max_header_lines(self) -> int:
        """Header lines of the HTTP request."""
    @property
    def max_depth(self) -> int:
        """Nesting of JSON, the frame's array included; never above 128."""
    @property
    def max_keys(self) -> int:
        """Members of one JSON object."""
    @property
    def max_items(self) -> int:
        """Elements of one JSON array."""
    @property
    def max_number_length(self) -> int:
        """Characters of one JSON number."""

@final
class Connection:
    """Server side of one socket. Encoders give ``b""`` once the connection is closing, ValueError when misused."""

    def __new__(cls, catalogue: Catalogue, limits: Limits) -> Connection: ...
    def receive(self, data: bytes) -> list[_Event]:
        """Take bytes in; ``b""`` reads what came before ``accept``. Never raises for anything a peer sends."""
    def accept(self, subprotocol: str | None, *, compression: bool, max_message: int) -> bytes:
        """The 101. Without sub-protocol the connection is open only to be closed: data is dropped (C5)."""
    def reject(self, status: int, headers: list[tuple[str, str]], body: bytes) -> bytes:
        """A whole HTTP response with ``Connection: close``."""
    def encode_call(self, message_id: str, action: str, payload: bytes) -> bytes:
        """A CALL, whose answer is expected from now on; InvalidPayload if the payload is wrong."""
    def expect(self, message_id: str, action: str) -> None:
        """Expect the answer to a CALL that went out on an older connection of the same station."""
    def forget(self, message_id: str) -> None:
        """Stop expecting an answer."""
    def encode_result(self, message_id: str, action: str, payload: bytes) -> bytes:
        """The CALLRESULT of a station's CALL; InvalidPayload if the payload is wrong."""
    def encode_error(self, message_id: str, code: str, description: str, details: bytes) -> bytes:
        """The CALLERROR of a station's CALL; the description is cut at 255 characters."""
    def ping(self, payload: bytes) -> bytes:
        """A ping frame; at most 125 bytes of payload."""
    def close(self, code: int, reason: str) -> bytes:
        """A close frame the first time, then ``b""``; a long reason is cut."""
    @property
    def buffered(self) -> int:
        """Bytes held for the peer beyond the fixed size of the machine."""

def send(socket: int, data: bytes) -> int:
    """Send what an open socket takes at once; the number of bytes. BlockingIOError when it is none, else OSError.

    As `socket.send`, but other threads do not get the interpreter meanwhile: asking for it back costs more than this.
    """

@final
class Receiver:
    """Reads sockets in a thread of its own, which needs no interpreter, and gives what they said in groups.

    CALLs of the actions ``hurried`` can be taken at once; the rest waits for ``gather_s`` seconds from the first on, or until it is
    ``crowd``, or not at all while less than ``busy_per_second`` arrives.
    """

    def __new__(
        cls, catalogue: Catalogue, *, hurried: list[str], gather_s: float, crowd: int, busy_per_second: float
    ) -> Receiver: ...
    def fileno(self) -> int:
        """A descriptor that is readable while there is something to take."""
    def watch(self, socket: int, codec: Connection, read_size: int) -> int:
        """Read this socket once, up to ``read_size`` bytes (at most 64 KiB); gives a token for it. OSError when it cannot be.

        ``leave`` must be called before the socket is closed.
        """
    def again(self, tokens: list[int]) -> None:
        """Read these once more: what was delivered of them has been handled."""
    def leave(self, token: int) -> None:
        """Read this one no longer; what was read already may still be delivered."""
    def take(self, most: int) -> list[tuple[int, list[_Event] | None]]:
        """``(token, events)`` of up to ``most`` sockets; None for events: the connection is over.

        Empty: there is nothing until ``fileno`` is readable. OSError: the thread has failed, nothing is read any more.
        """
    def close(self) -> None:
        """End the thread."""
