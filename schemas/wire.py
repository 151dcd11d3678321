"""Message objects from and to JSON text."""

from typing import TypeVar

import msgspec

from schemas.structs import ClosedObject

Message = TypeVar("Message", bound=ClosedObject)

# Decimals leave as JSON numbers, as the standard demands; msgspec's own default is a string.
_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(message: ClosedObject) -> bytes:
    """The payload as JSON text, absent fields left out.

    Limits are not checked here: the codec validates every payload before it is sent.
    """
    return _encoder.encode(message)


def decode(payload: bytes, kind: type[Message]) -> Message:
    """The message object in `payload`; unknown members are skipped, limits of `schemas.annotations` are not checked.

    Raises msgspec.ValidationError, naming the field, if a required one is missing or one has another type or a value
    outside its enumeration: this can only be where the codec has not checked the payload or was told to be tolerant.
    """
    return msgspec.json.decode(payload, type=kind)
