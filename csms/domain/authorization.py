"""Who may charge: the verdict on an id token from what the tenant knows of it (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from csms.domain.decisions import Decision


class KnownToken(Protocol):
    """What the store keeps of a token."""

    @property
    def type(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def valid_from(self) -> datetime | None: ...
    @property
    def valid_until(self) -> datetime | None: ...
    @property
    def group_id_token(self) -> str | None: ...
    @property
    def retired(self) -> bool: ...


def decide(
    candidates: Sequence[KnownToken], *, token_type: str | None, accept_unknown: bool, busy_elsewhere: bool, now: datetime
) -> Decision:
    """The verdict on a token.

    `candidates` are the tenant's tokens with this value in any case; `token_type` None (OCPP 1.6) takes any type, and the
    most restrictive of several decides. `busy_elsewhere`: it has an open session on another connector.
    """
    matching = [t for t in candidates if not t.retired and token_type in (None, t.type)]
    if not matching:
        if not accept_unknown:
            return Decision("Unknown")
        return Decision("ConcurrentTx" if busy_elsewhere else "Accepted")
    verdicts = [_verdict(t, accept_unknown=accept_unknown, busy_elsewhere=busy_elsewhere, now=now) for t in matching]
    return next((v for v in verdicts if not v.accepted), verdicts[0])


def _verdict(token: KnownToken, *, accept_unknown: bool, busy_elsewhere: bool, now: datetime) -> Decision:
    group = token.group_id_token
    if token.status == "blocked":
        return Decision("Blocked", group_id_token=group)
    if token.status == "unknown" and not accept_unknown:
        return Decision("Unknown")
    if token.valid_until is not None and token.valid_until <= now:
        return Decision("Expired", expires_at=token.valid_until, group_id_token=group)
    if token.valid_from is not None and token.valid_from > now:
        return Decision("Invalid", group_id_token=group)
    if busy_elsewhere:
        return Decision("ConcurrentTx", expires_at=token.valid_until, group_id_token=group)
    return Decision("Accepted", expires_at=token.valid_until, group_id_token=group)
