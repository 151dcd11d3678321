"""`csms bench`."""

from __future__ import annotations

import runpy
import sys
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path

from csms.cli.failure import CommandError


def bench(arguments: Namespace) -> int:
    """Run the `bench` package of the checkout this is installed from: it is no part of the installed product."""
    checkout = Path(__file__).resolve().parents[2]
    if str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
    if find_spec("bench") is None:
        raise CommandError("the bench suite is part of a source checkout only: run `make bench` there")
    sys.argv = ["csms bench", *arguments.arguments]
    try:
        runpy.run_module("bench", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
