"""`csms bench` and `python -m bench`: measure, print, keep. Loopback only; stops by itself within three minutes."""

from __future__ import annotations

import argparse
import logging
import sys
import time

import structlog

from bench import codec, report
from bench.installation import installation
from bench.measurements import Load, idle_memory, steady, throughput
from bench.processes import BenchError


def main() -> int:
    parser = argparse.ArgumentParser(prog="csms bench", description="Measure this installation against a peer.")
    parser.add_argument("--short", action="store_true", help="the short form, which is the default")
    parser.add_argument("--stations", type=int, default=200, help="stations under load (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of load on each side (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=1700.0, help="messages a second of the steady load (default: %(default)s)")
    parser.add_argument("--steady-stations", type=int, default=2000, help="stations that send it (default: %(default)s)")
    parser.add_argument("--idle", type=int, default=5000, help="idle connections (default: %(default)s)")
    parser.add_argument("--dry", action="store_true", help="print only: neither the report nor the README is written")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    began = time.monotonic()

    def tell(step: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - began:5.1f} s] {step}\n")
        sys.stderr.flush()

    try:
        tell("decode, validate and answer")
        figures = {"machine": report.machine(), "codec": codec.measure()}
        tell("a PostgreSQL of its own")
        with installation(max(arguments.stations, arguments.steady_stations, arguments.idle)) as place:
            figures["throughput"] = throughput(Load(arguments.stations, arguments.seconds), place, tell)
            figures["steady"] = steady(arguments.rate, Load(arguments.steady_stations, arguments.seconds), place, tell)
            figures["memory"] = idle_memory(arguments.idle, place, tell)
    except BenchError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    tell("done")
    sys.stdout.write(report.table(figures) + "\n")
    if not arguments.dry:
        tell(f"written: {', '.join(report.write(figures))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
