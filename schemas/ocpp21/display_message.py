"""OCPP 2.1, part 2, functional block O: display message."""

from typing import Annotated

from schemas.annotations import Items, Range
from schemas.ocpp21.datatypes import MessageInfoType, StatusInfoType
from schemas.ocpp21.enums import ClearMessageStatusEnumType, DisplayMessageStatusEnumType, MessageStateEnumType
from schemas.ocpp201.enums import GetDisplayMessagesStatusEnumType, MessagePriorityEnumType
from schemas.structs import ExtensibleObject


class ClearDisplayMessageRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Remove one display message. CSMS to station."""

    id: Annotated[int, Range(min=0)]  # message id


class ClearDisplayMessageResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ClearDisplayMessageRequest."""

    status: ClearMessageStatusEnumType
    status_info: StatusInfoType | None = None


class GetDisplayMessagesRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask which display messages are set. CSMS to station."""

    request_id: int  # echoed
    id: Annotated[list[Annotated[int, Range(min=0)]], Items(min=1)] | None = None  # filter by ids
    priority: MessagePriorityEnumType | None = None
    state: MessageStateEnumType | None = None


class GetDisplayMessagesResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetDisplayMessagesRequest."""

    status: GetDisplayMessagesStatusEnumType
    status_info: StatusInfoType | None = None


class NotifyDisplayMessagesRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Part of a display-message report. Station to CSMS."""

    request_id: int  # from GetDisplayMessages
    message_info: Annotated[list[MessageInfoType], Items(min=1)] | None = None
    tbc: bool | None = None  # more parts follow (default false)


class SetDisplayMessageRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Set or replace one display message. CSMS to station."""

    message: MessageInfoType


class SetDisplayMessageResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to SetDisplayMessageRequest."""

    status: DisplayMessageStatusEnumType
    status_info: StatusInfoType | None = None
