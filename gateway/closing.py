"""Why a connection ended: the close code on the wire, the reason text, the log field and the metric label in one."""

from __future__ import annotations

from enum import Enum


class CloseReason(Enum):
    """A named reason. `code` is sent where a close frame still makes sense (RFC 6455 section 7.4, rule C9)."""

    PEER_CLOSED = (1000, "peer_closed")
    LOST = (1006, "lost")
    VIOLATION = (1002, "violation")
    NO_SUBPROTOCOL = (1002, "no_subprotocol")
    WRONG_CERTIFICATE = (1008, "wrong_certificate")
    REPLACED = (1008, "replaced")
    OPERATOR = (1008, "operator")
    SLOW_CONSUMER = (1008, "slow_consumer")
    PONG_TIMEOUT = (1011, "pong_timeout")
    INTERNAL_ERROR = (1011, "internal_error")
    RESTART = (1012, "restart")
    STORE_AWAY = (1013, "store_away")

    def __init__(self, code: int, label: str) -> None:
        self.code = code
        self.label = label
