"""OCPP 1.6 edition 2, feature profile RemoteTrigger."""

from schemas.ocpp16.enums import MessageTrigger, TriggerMessageStatus
from schemas.structs import ClosedObject


class TriggerMessageRequest(ClosedObject, frozen=True, kw_only=True):
    """Ask the charge point to send one of its messages now. Central system to charge point."""

    requested_message: MessageTrigger
    connector_id: int | None = None  # absent = every connector that applies


class TriggerMessageResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to TriggerMessageRequest."""

    status: TriggerMessageStatus
