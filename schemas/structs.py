"""The two base classes of all message and datatype definitions.

Python names are snake_case and `rename="camel"` makes the wire name; where that would not give the standard's spelling,
the field names it. An optional field is None when absent, and `omit_defaults` keeps None off the wire: the standard
forbids null. `gc=False` is safe because messages are trees: frozen and built leaves first, they cannot hold a cycle.
`frozen` and `kw_only` are repeated by each definition: type checkers do not inherit them.
"""

from typing import Any

from msgspec import Struct


class ClosedObject(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, rename="camel"):
    """An object with exactly the members it declares (OCPP 1.6)."""


class ExtensibleObject(ClosedObject, frozen=True, kw_only=True):
    """An object of OCPP 2.x: closed, but for `customData`.

    `custom_data` holds a required `vendorId` of at most 255 characters and any further members.
    """

    custom_data: dict[str, Any] | None = None
