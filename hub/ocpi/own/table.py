"""Which handler answers what, for the parties of our own tenants (the endpoint table of the digest, chapter 4, and what 2.3.0 adds
to it)."""

from __future__ import annotations

from typing import Final

import structlog

from csms.roaming.received import NotStored
from csms.roaming.room import NoRoom
from csms.store import StoreUnavailable
from hub.ocpi.message import OcpiProblem, OcpiResponse, not_found
from hub.ocpi.own import (
    authorize,
    cdrs,
    chargingprofiles,
    commands,
    lists,
    locations,
    preferences,
    received,
    sessions,
    tokens,
)
from hub.ocpi.own.call import Handler, OwnCall
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.interfaces import Method
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.versions import InterfaceRole

log = structlog.get_logger()

HANDLERS: Final[dict[tuple[str, InterfaceRole, Method], Handler]] = {
    ("locations", "SENDER", "GET"): locations.get_own,
    ("locations", "RECEIVER", "GET"): received.get_received,
    ("locations", "RECEIVER", "PUT"): received.put_received,
    ("locations", "RECEIVER", "PATCH"): received.patch_received,
    ("sessions", "SENDER", "GET"): sessions.list_own,
    ("sessions", "RECEIVER", "GET"): received.get_received,
    ("sessions", "RECEIVER", "PUT"): received.put_received,
    ("sessions", "RECEIVER", "PATCH"): received.patch_received,
    ("cdrs", "SENDER", "GET"): lists.answer_list,
    ("cdrs", "RECEIVER", "POST"): cdrs.post_received,
    ("cdrs", "RECEIVER", "GET"): cdrs.get_received,
    ("tariffs", "SENDER", "GET"): lists.answer_list,
    ("tariffs", "RECEIVER", "GET"): received.get_received,
    ("tariffs", "RECEIVER", "PUT"): received.put_received,
    ("tariffs", "RECEIVER", "DELETE"): received.delete_received,
    ("tokens", "SENDER", "GET"): lists.answer_list,
    ("tokens", "RECEIVER", "GET"): received.get_received,
    ("tokens", "RECEIVER", "PUT"): tokens.put_token,
    ("tokens", "RECEIVER", "PATCH"): tokens.patch_token,
    ("tokens", "SENDER", "POST"): authorize.authorize,
    ("sessions", "SENDER", "PUT"): preferences.put_preferences,
    ("commands", "RECEIVER", "POST"): commands.receive_command,
    ("commands", "SENDER", "POST"): commands.receive_result,
    ("chargingprofiles", "RECEIVER", "GET"): chargingprofiles.get_profile,
    ("chargingprofiles", "RECEIVER", "PUT"): chargingprofiles.set_profile,
    ("chargingprofiles", "RECEIVER", "DELETE"): chargingprofiles.clear_profile,
    ("chargingprofiles", "SENDER", "POST"): chargingprofiles.receive_result,
    ("chargingprofiles", "SENDER", "PUT"): chargingprofiles.receive_change,
    ("invoicereconciliation", "SENDER", "GET"): lists.answer_list,
    ("invoicereconciliation", "RECEIVER", "GET"): received.get_received,
    ("invoicereconciliation", "RECEIVER", "POST"): received.post_received,
    ("invoicereconciliation", "RECEIVER", "PUT"): received.put_received,
    ("invoicereconciliation", "RECEIVER", "DELETE"): received.delete_received,
}
"""(module, role of the interface that is asked, method)."""


async def handle(call: OwnCall) -> OcpiResponse:
    """Answer a request to a party of our own. Every error becomes an answer; only cancellation is raised."""
    request = call.request
    try:
        if request.role is None:
            raise not_found("the module has no role")
        handler = HANDLERS.get((request.module, request.role, request.method))
        if handler is None:
            known = any(key[:2] == (request.module, request.role) for key in HANDLERS)
            raise OcpiProblem(
                StatusCode.CLIENT_ERROR,
                f"{request.module} as {request.role} has no {request.method}",
                http_status=405 if known else 404,
            )
        return await handler(call)
    except OcpiProblem as problem:
        return problem.response()
    except NotStored as error:
        return not_found(error.message, error.status_code).response()
    except NoRoom as full:
        return OcpiResponse(status_code=StatusCode.CLIENT_ERROR, status_message=str(full))
    except Unreadable as fault:
        return OcpiResponse(status_code=fault.status_code, status_message=str(fault))
    except StoreUnavailable as error:
        log.warning("ocpi.store_unavailable", error=str(error))
        return OcpiResponse(
            http_status=503, status_code=StatusCode.SERVER_ERROR, status_message="the database is not available at this moment"
        )
    except Exception as error:
        incident = str(call.ocpi.ids.uuid4())
        log.error("ocpi.request_failed", incident=incident, module=request.module, method=request.method, exc_info=error)
        return OcpiResponse(
            http_status=500, status_code=StatusCode.SERVER_ERROR, status_message=f"something went wrong on our side ({incident})"
        )
