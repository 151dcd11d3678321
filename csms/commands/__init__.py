"""Commands on their way down: recorded, handed to the process that holds the station, waited for (design 5)."""

from csms.commands.service import (
    MAX_PARAMETERS,
    CommandService,
    DomainOrder,
    Order,
    RawOrder,
    StationAway,
    StationRefused,
    TooManyCommands,
    UnknownStation,
)

__all__ = [
    "MAX_PARAMETERS",
    "CommandService",
    "DomainOrder",
    "Order",
    "RawOrder",
    "StationAway",
    "StationRefused",
    "TooManyCommands",
    "UnknownStation",
]
