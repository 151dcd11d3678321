"""Answers already given, so that a repeated message gets the same one without being handled again (ocpp-j-rules section 4).

Ids alone decide nothing: an id with other content is a new message, and after a restart the content keys in the database
tell a repeat. This memory only saves work.
"""

from __future__ import annotations

from typing import Final

from gateway import metrics

KEPT_ANSWERS: Final = 64
KEPT_SECONDS: Final = 600.0

FRESH: Final = frozenset(
    {
        "Heartbeat",
        "BootNotification",
        "Authorize",
        "GetCertificateStatus",
        "Get15118EVCertificate",
        "DataTransfer",
    }
)
"""Actions whose answer must be fresh: a repeat is handled again."""

_ID_REUSED = metrics.REPLAYS.labels("id_reuse")
_ANSWERED_AGAIN = metrics.REPLAYS.labels("answered_again")


class ReplayCache:
    """The last answers to one station identity, over all its connections."""

    __slots__ = ("_answers",)

    def __init__(self) -> None:
        # message id -> (digest of action and payload, answer's payload, when); oldest first
        self._answers: dict[str, tuple[int, bytes, float]] = {}

    def find(self, message_id: str, digest: int, now: float) -> bytes | None:
        """The answer to exactly this message, if it was answered lately."""
        known = self._answers.get(message_id)
        if known is None:
            return None
        if known[0] != digest:
            _ID_REUSED.inc()
            return None
        if now - known[2] > KEPT_SECONDS:
            return None
        _ANSWERED_AGAIN.inc()
        return known[1]

    def answer_to(self, message_id: str) -> bytes | None:
        """The last answer to a message with this id, if it is still here."""
        known = self._answers.get(message_id)
        return None if known is None else known[1]

    def remember(self, message_id: str, digest: int, answer: bytes, now: float) -> None:
        answers = self._answers
        answers.pop(message_id, None)
        answers[message_id] = (digest, answer, now)
        oldest = next(iter(answers))
        if len(answers) > KEPT_ANSWERS:
            del answers[oldest]
        elif now - answers[oldest][2] > KEPT_SECONDS:
            del answers[oldest]  # one for each that comes: what is old goes as fast as it came

    def __len__(self) -> int:
        return len(self._answers)
