"""`make crash`: many rounds under many stations, a line for each and a table at the end."""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Sequence

import trio

from tests.crash.faults import FAULTS
from tests.crash.rounds import Outcome, open_rounds, plan


def summary(outcomes: Sequence[Outcome]) -> str:
    """The table: a row for each kind of fault that came, and the sums."""
    lines = [
        f"{'fault':<22}{'rounds':>7}{'sent':>9}{'acknowledged':>14}{'repeated':>10}{'back p50':>10}{'max':>7}{'different':>11}"
    ]
    for name in [*(fault.name for fault in FAULTS), "all"]:
        of_kind = [outcome for outcome in outcomes if name in ("all", outcome.plan.fault.name)]
        if of_kind:
            back = [outcome.back for outcome in of_kind]
            lines.append(
                f"{name:<22}{len(of_kind):>7}{sum(o.sent for o in of_kind):>9}{sum(o.acknowledged for o in of_kind):>14}"
                f"{sum(o.repeated for o in of_kind):>10}{statistics.median(back):>8.1f} s{max(back):>5.1f} s"
                f"{sum(bool(o.differences) for o in of_kind):>11}"
            )
    return "\n".join(lines)


async def run(rounds: int, stations: int, seed: int, pause: float, only: str | None, outcomes: list[Outcome]) -> None:
    """Rounds with the seeds from `seed` on; ends with the first one that finds a difference, which the next would inherit."""
    async with open_rounds(stations, seed, pause=pause) as network:
        while len(outcomes) < rounds:
            drawn = plan(seed)
            seed += 1
            if only is not None and drawn.fault.name != only:
                continue
            try:
                outcome = await network.run(drawn)
            except Exception:
                print(f"seed {drawn.seed}, {drawn.fault.name}: the round itself failed", flush=True)
                raise
            outcomes.append(outcome)
            print(f"{len(outcomes):>4}/{rounds} {outcome.line()}", flush=True)
            if outcome.differences:
                print(
                    f"\nseed {drawn.seed}, {drawn.fault.name}: `make crash CRASH_SEED={drawn.seed} CRASH_ROUNDS=1` repeats its plan"
                )
                print("\n".join(f"  {difference}" for difference in outcome.differences[:100]))
                break


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--stations", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1, help="of the first round; the next ones follow")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between two messages of a station")
    parser.add_argument("--fault", choices=[fault.name for fault in FAULTS], help="only rounds with this one")
    arguments = parser.parse_args()
    # a station and its line through the proxy take three descriptors
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    began = time.monotonic()
    outcomes: list[Outcome] = []
    try:
        trio.run(run, arguments.rounds, arguments.stations, arguments.seed, arguments.pause, arguments.fault, outcomes)
    except KeyboardInterrupt:
        print("interrupted")
    print(f"\n{summary(outcomes)}\n{len(outcomes)} rounds in {time.monotonic() - began:.0f} s, {arguments.stations} stations")
    return int(len(outcomes) < arguments.rounds or any(outcome.differences for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
