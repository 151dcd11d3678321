"""NotifyDisplayMessages: a part of the list of messages that the station shows (O03, O04)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21 import display_message as ocpp21
from schemas.ocpp201 import display_message as ocpp201


def handle(
    context: StationContext,
    request: ocpp201.NotifyDisplayMessagesRequest | ocpp21.NotifyDisplayMessagesRequest,
    payload: bytes,
) -> Effect:
    """Kept part by part; `tbc` tells whether another one comes."""
    return record(context, "display_messages", payload, reference=request.request_id, caused_by=("GetDisplayMessages",))
