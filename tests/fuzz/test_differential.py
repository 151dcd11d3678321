"""The same input to our codec and to independent implementations: `wsproto`, `orjson`, the published JSON schemas.

CSMS_FUZZ_SECONDS gives more time, CSMS_FUZZ_SEED another beginning. A difference is repeated by CSMS_FUZZ_SEED=<its seed>.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.fuzz import differences, payloads, streams, texts
from tests.fuzz.budget import SEED, chances

_MOST_SHOWN = 5


def test_streams_against_wsproto() -> None:
    explained: Counter[str] = Counter()
    unexplained: list[str] = []
    count = delivered = 0
    for seed, chance in chances(0.4):
        data, deflate = streams.make(chance)
        ours, theirs = streams.ours(data, deflate=deflate), streams.theirs(data, deflate=deflate)
        count += 1
        delivered += sum(told[0] == "text" for told in ours)
        if ours != theirs:
            names = [one.name for one in differences.STREAMS if one.holds(data, ours, theirs)]
            explained.update(names[:1])
            if not names:
                unexplained.append(f"seed {seed}, deflate {deflate}: {data.hex()}\n  ours   {ours}\n  theirs {theirs}")
    _check(unexplained, explained, (one.name for one in differences.STREAMS), count)
    assert delivered > count / 4


def test_texts_against_orjson() -> None:
    explained: Counter[str] = Counter()
    unexplained: list[str] = []
    count = accepted = 0
    for seed, chance in chances(0.25):
        text = texts.make(chance)
        ours, theirs = texts.ours(text), texts.theirs(text)
        count += 1
        accepted += ours
        if ours != theirs:
            names = [] if ours else [one.name for one in differences.TEXTS if one.holds(text)]
            explained.update(names[:1])
            if not names:
                unexplained.append(f"seed {seed}: {'accepted' if ours else 'refused'} by us alone: {text!r}")
    _check(unexplained, explained, (one.name for one in differences.TEXTS), count)
    assert count / 10 < accepted < count * 9 / 10


def test_payloads_against_the_published_schemas() -> None:
    explained: Counter[str] = Counter()
    unexplained: list[str] = []
    count = accepted = 0
    for seed, chance in chances(0.35):
        judged = payloads.make(chance)
        count += 1
        accepted += judged.accepted
        if judged.accepted != (judged.fault is None):
            names = [one.name for one in differences.PAYLOADS if one.holds(judged)]
            explained.update(names[:1])
            if not names:
                fault = judged.fault and (judged.fault.row, judged.fault.description)
                verdict = "accepted" if judged.accepted else "refused"
                unexplained.append(f"seed {seed}: {judged.payload.message} {verdict} by the schema, we say {fault}: {judged.value}")
    _check(unexplained, explained, (one.name for one in differences.PAYLOADS), count)
    assert count / 10 < accepted < count * 9 / 10


def _check(unexplained: list[str], explained: Counter[str], listed: Iterable[str], count: int) -> None:
    assert unexplained == [], f"{len(unexplained)} of {count}:\n" + "\n".join(unexplained[:_MOST_SHOWN])
    if SEED == 1 and count > _ENOUGH:
        stale = [name for name in listed if not explained[name]]
        assert stale == [], f"listed, but not seen in {count} inputs: {explained}"


_ENOUGH = 25_000
"""Inputs after which every listed difference has been seen."""
