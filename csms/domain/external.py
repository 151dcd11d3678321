"""What a third party says about a token, and how it goes together with what we know of it ourselves (pure)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from csms.domain.decisions import AuthorizationStatus, Decision

Asks = Literal["unknown_tokens", "all_tokens"]
"""`unknown_tokens`: a third party is asked about tokens that the tenant does not know; `all_tokens`: about every token."""

Fallback = Literal["refuse", "accept", "own_data"]
"""What holds when the third party gives no answer; `own_data`: what the tenant's own data say."""

Purpose = Literal["authorize", "start", "stop"]

Via = Literal["http", "ocpi"]
"""Who is asked: a server of the tenant's own, or the parties that it roams with."""


class AskingRules(msgspec.Struct, frozen=True):
    """What a gateway needs to know of a tenant that has a third party asked. `changed_at` names the version of the settings.

    With `via` ocpi the parties of tokens are asked: nobody about the tenant's own ones. `all_tokens` then means those too of which
    their party leaves it to us whether it is asked (K4, ALLOWED).
    """

    asks: Asks
    timeout_ms: int
    fallback: Fallback
    cache_s: int
    changed_at: datetime
    via: Via = "http"


class ExternalVerdict(msgspec.Struct, frozen=True, gc=False):
    """The third party's word on a token, or the fallback in its place (`answered` False). `status` None: nothing is said, our own
    data decide.

    `reason` is for the operator; it names the failure when this is the fallback.
    """

    reason: str
    status: AuthorizationStatus | None = None
    expires_at: datetime | None = None
    group_id_token: str | None = None
    answered: bool = True


def fallback_verdict(fallback: Fallback, failure: str) -> ExternalVerdict:
    """What holds after a failure. `failure` is in words, such as `timed out after 2000 ms`."""
    reason = f"external: {failure}, fallback {fallback}"
    if fallback == "own_data":
        return ExternalVerdict(reason, answered=False)
    return ExternalVerdict(reason, "Accepted" if fallback == "accept" else "Invalid", answered=False)


def answered_verdict(
    status: AuthorizationStatus, expires_at: datetime | None, group_id_token: str | None, reason: str | None
) -> ExternalVerdict:
    """What a third party has answered."""
    return ExternalVerdict(f"external: {reason}" if reason else f"external: {status}", status, expires_at, group_id_token)


def decides(verdict: ExternalVerdict | None, asks: Asks | None, *, known: bool) -> bool:
    """May the verdict change what our own data say? Never for a token that we know and that is not asked about.

    A token that we do not know is then judged as one that may charge: the third party answers for it.
    """
    return verdict is not None and verdict.status is not None and asks is not None and (asks == "all_tokens" or not known)


def combine(own: Decision, verdict: ExternalVerdict, asks: Asks | None, *, known: bool) -> Decision:
    """The verdict on a token from our own data and from the third party's word. What we refuse ourselves stays refused."""
    if verdict.status is None:
        reason = verdict.reason if own.reason is None else f"{own.reason}; {verdict.reason}"
        return msgspec.structs.replace(own, reason=reason)
    if not own.accepted or not decides(verdict, asks, known=known):
        return own
    ends = [end for end in (own.expires_at, verdict.expires_at) if end is not None]
    return Decision(
        verdict.status,
        min(ends, default=None),
        verdict.group_id_token or own.group_id_token,
        verdict.reason,
        own.language,
    )
