"""What a version module wants done for one CALL of a station.

A handler is pure: it reads the message and says what should happen. The connection does it (design 3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from csms.domain.operations import Operation, RecordStationEvent
from gateway.closing import CloseReason

Hold = Literal["transaction", "authorize"]
"""How long an answer may wait for the store: `hold_transaction_s` then the station is closed, or `hold_authorize_s` then
InternalError (rule D2)."""


class Reply(msgspec.Struct, gc=False):
    """Answer at once; nothing has to be durable. `payload` is the JSON of the response."""

    payload: bytes


class Commit(msgspec.Struct, gc=False):
    """Commit `operation`, then answer with the JSON that `answer` makes of its outcome."""

    operation: Operation
    answer: Callable[[Any], bytes]
    hold: Hold = "transaction"


class Refuse(msgspec.Struct, gc=False):
    """Answer with a CALLERROR. `code` must be one of the version's own; `details` is a JSON object."""

    code: str
    description: str = ""
    details: bytes = b"{}"


class HangUp(msgspec.Struct, gc=False):
    """Close the connection without an answer; `event` is kept, so that an operator can tell why."""

    reason: CloseReason
    event: RecordStationEvent


Effect = Reply | Commit | Refuse | HangUp
