"""`python -m tests.simulation`: play many seeds, for as long as wanted; a failing one is printed and can be played again."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext

from tests.simulation.mutants import MUTANTS
from tests.simulation.runs import Verdict, play, play_task


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds (1000)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--hours", type=float, help="play new seeds for so long, instead of a number of them")
    parser.add_argument("--seed", type=int, help="play this one seed and print its steps")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one per core)")
    parser.add_argument("--keep-going", action="store_true", help="go on after a failing seed")
    parser.add_argument("--mutant", choices=MUTANTS, help="plant this bug first")
    options = parser.parse_args()
    if options.seed is not None:
        with MUTANTS[options.mutant]() if options.mutant else nullcontext():
            return _show(play(options.seed))
    return _play_many(options)


def _show(verdict: Verdict) -> int:
    for at, what, details in verdict.trace:
        print(f"{at:10.3f} {what}", *details)
    print(verdict if verdict.wrong else f"{verdict.plan}\n  nothing is wrong; digest {verdict.digest}")
    return 1 if verdict.wrong else 0


def _seeds(options: argparse.Namespace, room: threading.Semaphore, stopped: threading.Event) -> Iterator[tuple[int, str | None]]:
    """The tasks; the next one only when there is room, because a pool takes all that it can get."""
    end = None if options.hours is None else time.monotonic() + options.hours * 3600
    seed = options.first
    while time.monotonic() < end if end is not None else seed < options.first + options.seeds:
        while not room.acquire(timeout=0.5):
            if stopped.is_set():
                return
        yield seed, options.mutant
        seed += 1


def _play_many(options: argparse.Namespace) -> int:
    began = time.monotonic()
    room = threading.Semaphore(2 * options.jobs)
    failed = played = messages = transactions = 0
    stopped = threading.Event()
    with multiprocessing.get_context("spawn").Pool(options.jobs, maxtasksperchild=200) as pool, ExitStack() as stack:
        # before the pool is ended: its feeder waits for room
        stack.callback(stopped.set)
        for seed, wrong, text, sent, charged in pool.imap_unordered(play_task, _seeds(options, room, stopped)):
            room.release()
            played += 1
            messages += sent
            transactions += charged
            if wrong:
                failed += 1
                print(f"\n{text}\n  again: python -m tests.simulation --seed {seed}", flush=True)
                if not options.keep_going:
                    break
            if played % 10 == 0:
                per_second = played / (time.monotonic() - began)
                print(f"\r{played} seeds, {failed} failed, {per_second:.1f}/s", end="", file=sys.stderr, flush=True)
    print(
        f"\n{played} seeds, {transactions} transactions, {messages} messages in {time.monotonic() - began:.0f} s: {failed} failed"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
