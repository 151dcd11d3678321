"""Runs the gateway: three nested nurseries, of which the listeners end first and the infrastructure last."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

import structlog
import trio

from gateway import _native, ocpp16, ocpp21, ocpp201
from gateway.admission import Admission
from gateway.arrivals import Arrivals
from gateway.calls import OutgoingCalls
from gateway.drain import drain, leave
from gateway.external_authorization import ExternalAuthorization
from gateway.inbound import InboundCalls
from gateway.listener import Entrance, Listeners, raise_file_limit
from gateway.mailbox import Mailbox
from gateway.memory import collect_young, collector_settings, freeze_after_changes, watch_loop_lag
from gateway.quarantine_replay import QuarantineReplay
from gateway.readiness import Readiness
from gateway.reception import Reception
from gateway.registry import Registry
from gateway.services import GatewayServices
from gateway.submission import Submission
from gateway.sweeper import Reconciliation, Sweeper
from gateway.tls import tls_of
from gateway.tolerance import Tolerance
from gateway.unanswered import UnansweredMessages
from gateway.versions import Version
from schemas.tables import native_tables

__all__ = ["VERSIONS", "GatewayServices", "run_gateway"]

log = structlog.get_logger()

VERSIONS: Mapping[str, Version] = {version.name: version for version in (ocpp16.VERSION, ocpp201.VERSION, ocpp21.VERSION)}
"""The OCPP versions that are served, by sub-protocol name."""


async def run_gateway(
    services: GatewayServices,
    shutdown: trio.Event,
    *,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
    versions: Mapping[str, Version] = VERSIONS,
    entrance: Entrance | None = None,
    receiver: bool = True,
) -> None:
    """Serve stations until `shutdown`, then drain and return. `started()` gives the URLs that stations connect to.

    `entrance` None: the ports of the settings; raises OSError when one cannot be had, SettingsError when a TLS file cannot be
    used. The ledger must run until this has returned. `receiver` False: sockets are read in this thread, so that what happens
    follows from the order of tasks alone and a simulation repeats itself.
    """
    settings = services.settings
    log.info("gateway.file_limit", files=raise_file_limit())
    if entrance is None:
        tls = tls_of(settings, services.clock.monotonic)
        entrance = Listeners(settings.ocpp_host, settings.ocpp_port, tls, settings.ocpp_tls_port)
    catalogue = _native.Catalogue(native_tables())
    tolerance = Tolerance(catalogue, services.tenants)
    submission = Submission(services.ledger)
    registry = Registry(submission, services.clock)
    mailbox = Mailbox(services.bus, services.store, services.process_id)
    calls = OutgoingCalls(
        submission,
        services.clock,
        services.ids,
        catalogue,
        registry,
        tolerance,
        mailbox.finished,
        call_timeout_s=settings.call_timeout_s,
    )
    external = ExternalAuthorization(services.bus, services.store, services.tenants, services.clock)
    inbound = InboundCalls(
        submission,
        services.clock,
        services.ids,
        tolerance,
        calls,
        external,
        hold_transaction_s=settings.hold_transaction_s,
        hold_authorize_s=settings.hold_authorize_s,
        boots_per_second=settings.boots_per_second,
    )
    replay = QuarantineReplay(
        services.bus,
        services.store,
        submission,
        catalogue,
        tolerance,
        services.tenants,
        services.clock,
        services.ids,
        versions,
        services.process_id,
    )
    sweeper = Sweeper(
        registry,
        inbound,
        calls,
        submission,
        services.ledger,
        services.clock,
        services.process_id,
        reconciliation=Reconciliation(
            silence_s=settings.session_silence_s, settle_s=settings.session_settle_s, give_up_s=settings.session_give_up_s
        ),
        ping_interval_s=settings.ping_interval_s,
        pong_timeout_s=settings.pong_timeout_s,
    )
    admission = Admission(services, submission, registry, versions)
    with (
        collector_settings(services.clock.monotonic),
        Readiness() as readiness,
        ExitStack() as stack,
    ):
        arrivals: Arrivals | None = None
        if receiver:
            arrivals = stack.enter_context(Arrivals(catalogue, settings.ledger_linger_ms / 1000, submission.hurry))
        async with trio.open_nursery() as infrastructure:
            infrastructure.start_soon(readiness.run)
            if arrivals is not None:
                infrastructure.start_soon(arrivals.run)
            infrastructure.start_soon(submission.run)
            infrastructure.start_soon(external.run)
            infrastructure.start_soon(mailbox.run, calls, registry)
            infrastructure.start_soon(sweeper.run)
            infrastructure.start_soon(replay.run)
            infrastructure.start_soon(admission.limits.run)
            infrastructure.start_soon(collect_young)
            infrastructure.start_soon(freeze_after_changes, lambda: registry.opened, registry.connections.__len__)
            infrastructure.start_soon(watch_loop_lag)
            async with trio.open_nursery() as connections:
                reception = Reception(
                    catalogue=catalogue,
                    admission=admission,
                    registry=registry,
                    inbound=inbound,
                    calls=calls,
                    unanswered=UnansweredMessages(submission, services.clock),
                    clock=services.clock,
                    tenants=services.tenants,
                    writers=connections,
                    readiness=readiness,
                    arrivals=arrivals,
                    handshake_timeout_s=settings.handshake_timeout_s,
                )
                async with trio.open_nursery() as doors:
                    doors.start_soon(entrance.accept, connections, reception.serve)
                    services.health.report("gateway", "ok")
                    task_status.started(entrance.urls)
                    await shutdown.wait()
                    admission.draining = True
                    services.health.report("gateway", "degraded", "draining")
                    doors.cancel_scope.cancel(reason="shutdown")
                await drain(registry, calls, services.ids, settings.drain_s, reception.handshaking)
                connections.cancel_scope.cancel(reason="drained")
            await leave(registry)
            infrastructure.cancel_scope.cancel(reason="drained")
    services.health.report("gateway", "down", "stopped")
