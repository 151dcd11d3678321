"""What happened, told to the world: events written in the commit that caused them, read by one reader per sink (design 4)."""

from csms.outbox.poke import Poker
from csms.outbox.reader import OutboxReader
from csms.outbox.sink import Sink, SinkUnavailable

__all__ = ["OutboxReader", "Poker", "Sink", "SinkUnavailable"]
