"""Transaction ids of OCPP 1.6 are numbers; the domain has texts."""

from __future__ import annotations

import re
from typing import Final

from gateway.versions import UnsupportedCommand

_LARGEST: Final = 2**31 - 1

_whole_number: Final = re.compile(r"[0-9]{1,10}").fullmatch


def transaction_number(transaction_id: str) -> int:
    """The number on the wire. Raises UnsupportedCommand for an id that is none of OCPP 1.6."""
    if not _whole_number(transaction_id) or int(transaction_id) > _LARGEST:
        raise UnsupportedCommand("a transaction_id of OCPP 1.6 is a whole number below 2147483648")
    return int(transaction_id)
