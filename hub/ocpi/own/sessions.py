"""Sessions of our own tenants, as their owner (digest, endpoint 15)."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import msgspec

from hub.ocpi.message import OcpiResponse, not_found
from hub.ocpi.own.call import OwnCall
from hub.ocpi.own.lists import answer_page
from schemas.ocpi221.base import Remark
from schemas.ocpi221.instants import write_instant
from schemas.ocpi221.paging import read_page_request


async def list_own(call: OwnCall) -> OcpiResponse:
    """E9: only with date_from, unless the partner is known to leave it out (Z20)."""
    if call.request.segments:
        raise not_found("sessions have a list only")
    query, days = call.request.query, call.settings.sessions_default_days
    page = read_page_request(query, date_from_required=days is None)
    if page.date_from is not None or days is None:
        return await answer_page(call, page, query)
    since = call.ocpi.clock.now().replace(microsecond=0) - timedelta(days=days)
    page = msgspec.structs.replace(page, date_from=since)
    kept = tuple((name, value) for name, value in query if name != "date_from")
    answer = await answer_page(call, page, (*kept, ("date_from", write_instant(since))))
    return dataclasses.replace(answer, remarks=(Remark("date_from", "Z20", f"is missing, read as {days} days ago"),))
