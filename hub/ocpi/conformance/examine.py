"""The whole check of one platform."""

from __future__ import annotations

from collections.abc import Callable

from csms.clock import Clock, Ids
from hub.ocpi.client import PlatformClient
from hub.ocpi.conformance import points
from hub.ocpi.conformance.entrance import check_entrance
from hub.ocpi.conformance.lists import LISTS, ListCheck
from hub.ocpi.conformance.probe import Limits, OutOfBudget, Probe, Target
from hub.ocpi.conformance.report import CheckReport, Notebook
from hub.ocpi.conformance.singles import check_locations, check_receivers

Progress = Callable[[str], None]


async def examine(
    client: PlatformClient, clock: Clock, ids: Ids, target: Target, limits: Limits, progress: Progress = lambda _: None
) -> CheckReport:
    """Ask what can be asked without changing anything; `progress` is told what comes next. Never raises but for cancellation."""
    notebook = Notebook()
    notebook.expect(points.GENERAL)
    probe = Probe(client, clock, ids, target, notebook, limits)
    complete = True
    try:
        await _examine(probe, progress)
    except OutOfBudget as end:
        complete = False
        for where in notebook.places():
            notebook.leave_out(points.POINTS, str(end), where)
    return notebook.report(target.versions_url, complete=complete, requests=probe.requests, seconds=probe.seconds)


async def _examine(probe: Probe, progress: Progress) -> None:
    progress("versions, details, credentials")
    platform = await check_entrance(probe)
    if platform is None:
        return
    for module in LISTS:
        if (module, "SENDER") not in platform.endpoints:
            continue
        progress(f"{module} as sender")
        documents = await ListCheck(probe, platform, module).run()
        if module == "locations":
            progress("single locations")
            await check_locations(probe, platform, documents)
    progress("receiver interfaces")
    await check_receivers(probe, platform)
