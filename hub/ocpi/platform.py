"""One OCPI request to a registered partner, from our terms into its HTTP and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import structlog

from csms.external_authorization.sealing import Unreadable as Unsealable
from csms.roaming.partners import Partner
from csms.store import StoreUnavailable
from hub.ocpi import metrics
from hub.ocpi.client import HttpAnswer, NoAnswer
from hub.ocpi.conversion import conversion
from hub.ocpi.message import OcpiRequest, OcpiResponse
from hub.ocpi.services import Ocpi
from hub.ocpi.versions import OURS, default_encoding, has_interface
from schemas.ocpi221.base import Remark
from schemas.ocpi221.envelope import NoEnvelope, StatusCode, read_envelope
from schemas.ocpi221.headers import MessageHeaders, TokenEncoding, authorization_value, read_headers, write_headers
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.urls import join_url
from schemas.ocpi221.writing import encode
from schemas.ocpi_versions.port import CannotSend, UnknownObject

log = structlog.get_logger()

PARTNER_TOKEN: Final = "ocpi_partner_token"  # noqa: S105 - the name of a field

_KEPT_HEADERS: Final = {"link": "Link", "x-total-count": "X-Total-Count", "x-limit": "X-Limit", "location": "Location"}


async def send(
    ocpi: Ocpi, partner: Partner, request: OcpiRequest, *, timeout_s: float | None = None, logged: bool = True
) -> OcpiResponse:
    """Send `request` to `partner` and give its answer; where there is none, a response with `failure` and 4002 or 4003 (R3).

    Never raises but for cancellation.
    """
    begun = ocpi.clock.monotonic()
    response = await _converted(ocpi, partner, request, timeout_s)
    if response.failure is None:
        ocpi.presence.heard(partner)
    elif ocpi.client.is_left_alone(partner.tenant_id, partner.partner_id):
        ocpi.presence.lost(partner)
    seconds = ocpi.clock.monotonic() - begun
    metrics.REQUEST_SECONDS.labels(request.module).observe(seconds)
    if logged:
        ocpi.log.record(
            partner.tenant_id, "out", request, response, seconds=seconds, partner_id=partner.partner_id, version=partner.version
        )
    return response


async def _converted(ocpi: Ocpi, partner: Partner, request: OcpiRequest, timeout_s: float | None) -> OcpiResponse:
    """Ask in the partner's version, and have its answer in ours."""
    try:
        if not has_interface(partner.version, request.module, request.role):
            raise CannotSend("", partner.version or OURS, f"there is no {request.module}")
        converted = await conversion(ocpi, partner, partner.version)
        if converted is None or not partner.registered or not converted.concerns(request):
            return await _answer(ocpi, partner, request, timeout_s)
        sent, losses = await converted.request_down(request)
        response = await converted.response_up(request, await _answer(ocpi, partner, sent, timeout_s))
        return replace(response, remarks=(*losses, *response.remarks))
    except CannotSend as error:
        return failed(StatusCode.CLIENT_ERROR, f"OCPI {partner.version} has no form for this: {error}")
    except UnknownObject as error:
        return replace(failed(StatusCode.CLIENT_ERROR, str(error)), http_status=404)
    except Unreadable as fault:
        return failed(StatusCode.SERVER_ERROR, f"its answer cannot be read: {fault}")
    except StoreUnavailable as error:
        return failed(StatusCode.HUB_ERROR, f"the database is not available: {error}")


async def _answer(ocpi: Ocpi, partner: Partner, request: OcpiRequest, timeout_s: float | None) -> OcpiResponse:
    if not partner.registered or partner.token_sealed is None:
        return failed(StatusCode.HUB_CONNECTION_PROBLEM, f"the partner {partner.name} is {partner.status}")
    url = request.url
    if url is None:
        endpoint = partner.endpoint(request.module, request.role)
        if endpoint is None:
            said = "" if request.role is None else f" as {request.role}"
            return failed(StatusCode.CLIENT_ERROR, f"the partner {partner.name} does not offer {request.module}{said}")
        try:
            url = join_url(endpoint, *request.segments, query=request.query)
        except ValueError as error:
            return failed(StatusCode.INVALID_PARAMETERS, str(error))
    try:
        token = ocpi.sealer.open(partner.tenant_id, PARTNER_TOKEN, partner.token_sealed)
    except Unsealable:
        log.error("ocpi.partner_token_unreadable", tenant_id=partner.tenant_id, partner_id=str(partner.partner_id))
        return failed(StatusCode.HUB_ERROR, "the token for this partner cannot be read: register it again")
    headers = {"Authorization": authorization_value(token, encoding_for(partner)), **write_headers(request.headers)}
    body = None if request.body is None else encode(request.body)
    try:
        answer = await ocpi.client.request(
            request.method,
            url,
            headers,
            body,
            timeout_s=timeout_s or partner.settings.timeout_s,
            partner=(partner.tenant_id, partner.partner_id),
        )
    except NoAnswer as error:
        code = StatusCode.HUB_TIMEOUT if error.timed_out else StatusCode.HUB_CONNECTION_PROBLEM
        return failed(code, error.why)
    return read_answer(answer, functional=request.module in FUNCTIONAL_MODULES)


def encoding_for(partner: Partner) -> TokenEncoding:
    """A6: how the partner wants our token."""
    return partner.settings.token_encoding or default_encoding(partner.version)


def failed(status_code: StatusCode, why: str) -> OcpiResponse:
    """There is no answer of the other side."""
    return OcpiResponse(status_code=status_code, status_message=why, failure=why)


def read_answer(answer: HttpAnswer, *, functional: bool) -> OcpiResponse:
    """What a partner has answered, with what had to be forgiven (S6, Z11, Z13). An HTTP error without an envelope is a failure."""
    remarks: list[Remark] = []
    try:
        message, odd = read_headers(answer.headers, functional=functional)
        remarks += odd
    except Unreadable as fault:
        message = MessageHeaders()
        remarks.append(Remark(fault.field, fault.rule, fault.text))
    headers = {name: answer.headers[key] for key, name in _KEPT_HEADERS.items() if key in answer.headers}
    try:
        envelope = read_envelope(answer.body)
    except NoEnvelope as error:
        why = "it does not know our token" if answer.status == 401 else f"HTTP {answer.status} without an OCPI envelope: {error}"
        return OcpiResponse(
            http_status=answer.status,
            status_code=StatusCode.SERVER_ERROR,
            status_message=why,
            headers=headers,
            message=message,
            remarks=tuple(remarks),
            failure=why,
        )
    return OcpiResponse(
        http_status=answer.status,
        status_code=envelope.status_code,
        status_message=envelope.status_message,
        data=envelope.data,
        headers=headers,
        message=message,
        remarks=(*remarks, *envelope.remarks),
    )
