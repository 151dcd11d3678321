"""Who may charge: the verdict on an id token from what the tenant knows of it (pure).

The checks are made in the order of the reference (ocpp-csms-behaviour 6.1); the first one that fails decides. Every one of them
looks at the token and at the token that it stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, NamedTuple
from uuid import UUID

import msgspec

from csms.domain.decisions import AuthorizationStatus, Decision
from csms.domain.known_tokens import KnownToken
from csms.domain.restrictions import (
    Place,
    Restrictions,
    day_began,
    is_elsewhere,
    is_wrong_connector,
    is_wrong_evse,
    is_wrong_time,
    month_began,
)

CheckName = Literal[
    "known",
    "status",
    "groups",
    "single_use",
    "validity",
    "whitelist",
    "credit",
    "sessions",
    "place",
    "connector",
    "hours",
    "concurrency",
]

UsageOf = Callable[[str, datetime], tuple[int, Decimal]]
"""(look-up key, since) -> sessions and amount of a token in the sessions since then."""


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What else a verdict depends on.

    `place` and `usage` need not be known when no token of the question has restrictions that ask for them. `elsewhere`: open
    sessions on other connectors, by look-up key; without a key that is not asked, because nothing begins. `session_id`: the one
    that the token begins or is shown for. `sessions_here`: those that it has open at this station: whoever has one must be able
    to end it, so what only tells whether another may begin is not looked at.
    """

    now: datetime
    accept_unknown: bool
    time_zone: str = "UTC"
    evse_id: int | None = None
    place: Place | None = None
    usage: UsageOf | None = None
    elsewhere: Mapping[str, int] = {}
    session_id: UUID | None = None
    sessions_here: frozenset[UUID] = frozenset()
    asked: bool = False
    """The party of a token that is another party's has answered a question about it: what it said decides."""
    going_on: bool = False
    """The token is shown for a session that has begun already: only whether it is good at all matters."""


class Check(NamedTuple):
    """One look at a token. `status` is Accepted when it passes; `reason` says in words why it does not."""

    name: CheckName
    status: AuthorizationStatus
    reason: str | None = None


class Verdict(NamedTuple):
    """`token`: the one that decided; None: nobody knows any."""

    decision: Decision
    token: KnownToken | None
    checks: tuple[Check, ...]


DEFAULT_CONCURRENT_SESSIONS: Final = 1
_NOT_KNOWN: Final = Check("known", "Unknown", "nobody has registered this token")


def decide(candidates: Sequence[KnownToken], *, token_type: str | None, circumstances: Circumstances) -> Decision:
    """The verdict on a token, see `judge`."""
    return judge(candidates, token_type=token_type, circumstances=circumstances).decision


def judge(
    candidates: Sequence[KnownToken],
    *,
    token_type: str | None,
    circumstances: Circumstances,
    key: str | None = None,
    explain: bool = False,
) -> Verdict:
    """The verdict on a token.

    `candidates` are the tenant's tokens with this value in any spelling; `token_type` None (OCPP 1.6) takes any type, and the
    most restrictive of several decides. `key`: what sessions of a token that nobody knows are counted by. `explain`: make all
    checks, not only those up to the first that fails.
    """
    named = [t for t in candidates if token_type in (None, t.type)]
    # who takes tokens that nobody knows does not take those that somebody withdrew
    matching = [t for t in named if not t.retired] or (named if circumstances.accept_unknown else [])
    if not matching:
        return _of_unknown(circumstances, key)
    verdict = None
    for token in matching:
        found = _of_known(token, circumstances, explain=explain)
        if not found.decision.accepted:
            return found
        verdict = verdict or found
    if verdict is None:
        raise LookupError("there is a token")
    return verdict


def restrictions_of(candidates: Sequence[KnownToken]) -> list[Restrictions]:
    """All that may hold for a question about these tokens."""
    return [
        restrictions
        for token in candidates
        if token.restrictions is not None or token.groups or token.parent is not None
        for member in token.family
        for _, restrictions in member.held_by()
    ]


def _of_unknown(circumstances: Circumstances, key: str | None) -> Verdict:
    if not circumstances.accept_unknown:
        return Verdict(Decision("Unknown", reason=_NOT_KNOWN.reason), None, (_NOT_KNOWN,))
    checks = (Check("known", "Accepted"), _concurrency(circumstances.elsewhere.get(key or "", 0), DEFAULT_CONCURRENT_SESSIONS))
    failed = next((check for check in checks if check.status != "Accepted"), None)
    decision = Decision("Accepted") if failed is None else Decision(failed.status, reason=failed.reason)
    return Verdict(decision, None, checks)


def _of_known(token: KnownToken, circumstances: Circumstances, *, explain: bool) -> Verdict:
    made = []
    failed = None
    for check in _checks(token, circumstances):
        made.append(check)
        if check.status != "Accepted" and failed is None:
            failed = check
            if not explain:
                break
    ends = [m.valid_until for m in token.family if m.valid_until is not None and not _has_begun(m, circumstances)]
    group = token.told_group
    if group is None and token.parent is not None:
        group = token.parent.told_group
    language = token.language if token.language is not None or token.parent is None else token.parent.language
    if failed is None:
        decision = Decision("Accepted", min(ends, default=None), group, language=language)
    else:
        ended = failed.status in ("Expired", "ConcurrentTx")
        unknown = failed.status == "Unknown"
        decision = Decision(
            failed.status, min(ends, default=None) if ended else None, None if unknown else group, failed.reason, language
        )
    return Verdict(decision, token, tuple(made))


def _checks(token: KnownToken, circumstances: Circumstances) -> Iterator[Check]:
    family = token.family
    yield from (_status(member, whose, circumstances) for member, whose in _named(family))
    yield from (_groups(member) for member in family if member.groups)
    yield from (_single_use(member, circumstances) for member in family if member.single_use)
    lasting = ((member, whose) for member, whose in _named(family) if not _has_begun(member, circumstances))
    yield from (_validity(member, whose, circumstances.now) for member, whose in lasting)
    if not circumstances.going_on:
        yield from _whitelist(token, circumstances)
        held = [(member, whose, restrictions) for member in family for whose, restrictions in member.held_by()]
        if not circumstances.sessions_here:
            yield from (_credit(m, whose, r, circumstances) for m, whose, r in held if r.max_amount_per_month is not None)
            yield from (c for m, whose, r in held for c in _sessions(m, whose, r, circumstances))
        if circumstances.place is not None:
            yield from _at(circumstances.place, held, circumstances)
        if circumstances.elsewhere:
            for member in family:
                limits = [r.max_concurrent_sessions for _, r in member.held_by() if r.max_concurrent_sessions is not None]
                allowed = min(limits, default=DEFAULT_CONCURRENT_SESSIONS)
                yield _concurrency(circumstances.elsewhere.get(member.key, 0), allowed)


def _named(family: tuple[KnownToken, ...]) -> Iterator[tuple[KnownToken, str]]:
    for member in family:
        yield member, "the token" if member is family[0] else "the token that it stands for"


def _status(token: KnownToken, whose: str, circumstances: Circumstances) -> Check:
    if token.retired:
        return Check("status", "Blocked", f"{whose} is retired")
    if token.status == "blocked":
        return Check("status", "Blocked", _because(f"{whose} is blocked", token.blocked_reason))
    if token.status == "unknown" and not circumstances.accept_unknown:
        return Check("status", "Unknown", "seen on the wire, but nobody has registered this token")
    return Check("status", "Accepted")


def _groups(token: KnownToken) -> Check:
    for group in token.groups:
        if group.status == "blocked":
            return Check("groups", "Blocked", _because(f"group {group.name} is blocked", group.blocked_reason))
    return Check("groups", "Accepted")


def _single_use(token: KnownToken, circumstances: Circumstances) -> Check:
    if token.used_by_session_id is None or _has_begun(token, circumstances):
        return Check("single_use", "Accepted")
    return Check("single_use", "Blocked", f"used already by session {token.used_by_session_id}")


def _has_begun(token: KnownToken, circumstances: Circumstances) -> bool:
    """Is it for the session that used it up? However long that lasts, it can be ended with the token."""
    user = token.used_by_session_id
    return user is not None and (user == circumstances.session_id or user in circumstances.sessions_here)


def _validity(token: KnownToken, whose: str, now: datetime) -> Check:
    if token.valid_until is not None and token.valid_until <= now:
        return Check("validity", "Expired", f"{whose} was valid until {token.valid_until:%Y-%m-%d %H:%M} UTC")
    if token.valid_from is not None and token.valid_from > now:
        return Check("validity", "Invalid", f"{whose} is not valid before {token.valid_from:%Y-%m-%d %H:%M} UTC")
    return Check("validity", "Accepted")


def _whitelist(token: KnownToken, circumstances: Circumstances) -> Iterator[Check]:
    """K4: what is known here of a token whose party wants to be asked is of no use, unless its party vouches for it (M4). Whoever
    has a session here must be able to end it."""
    if not token.foreign:
        return
    refused = token.whitelist == "NEVER" and not (
        circumstances.asked or circumstances.sessions_here or token.is_vouched_for(circumstances.now)
    )
    if refused:
        yield Check("whitelist", "Invalid", "its party has to be asked, and was not, or has not answered")
    else:
        yield Check("whitelist", "Accepted")


def _credit(token: KnownToken, whose: str, restrictions: Restrictions, circumstances: Circumstances) -> Check:
    limit = restrictions.max_amount_per_month
    if limit is None or circumstances.usage is None:
        return Check("credit", "Accepted")
    _, spent = circumstances.usage(token.key, month_began(circumstances.now, restrictions.time_zone or circumstances.time_zone))
    if spent >= limit:
        return Check("credit", "NoCredit", f"{whose}: {spent} of {limit} spent this month")
    return Check("credit", "Accepted")


def _sessions(token: KnownToken, whose: str, restrictions: Restrictions, circumstances: Circumstances) -> Iterator[Check]:
    zone = restrictions.time_zone or circumstances.time_zone
    for limit, began, span in (
        (restrictions.sessions_per_day, day_began, "today"),
        (restrictions.sessions_per_month, month_began, "this month"),
    ):
        if limit is None or circumstances.usage is None:
            continue
        count, _ = circumstances.usage(token.key, began(circumstances.now, zone))
        if count >= limit:
            yield Check("sessions", "NoCredit", f"{whose}: {count} of {limit} sessions had {span}")
        else:
            yield Check("sessions", "Accepted")


def _at(place: Place, held: list[tuple[KnownToken, str, Restrictions]], circumstances: Circumstances) -> Iterator[Check]:
    for _, whose, restrictions in held:
        yield _of_restriction("place", "NotAtThisLocation", whose, is_elsewhere(restrictions, place))
        wrong_evse = is_wrong_evse(restrictions, circumstances.evse_id)
        yield _of_restriction("place", "NotAtThisLocation", whose, wrong_evse)
    for _, whose, restrictions in held:
        wrong = is_wrong_connector(restrictions, place, circumstances.evse_id)
        yield _of_restriction("connector", "NotAllowedTypeEVSE", whose, wrong)
    if not circumstances.sessions_here:
        zone = place.time_zone or circumstances.time_zone
        for _, whose, restrictions in held:
            yield _of_restriction("hours", "NotAtThisTime", whose, is_wrong_time(restrictions, circumstances.now, zone))


def _of_restriction(name: CheckName, status: AuthorizationStatus, whose: str, wrong: str | None) -> Check:
    return Check(name, "Accepted") if wrong is None else Check(name, status, f"{whose}: {wrong}")


def _concurrency(elsewhere: int, allowed: int) -> Check:
    if elsewhere >= allowed:
        return Check("concurrency", "ConcurrentTx", f"{elsewhere} of {allowed} sessions are open on other connectors")
    return Check("concurrency", "Accepted")


def _because(what: str, reason: str | None) -> str:
    return what if reason is None else f"{what}: {reason}"
