"""Messages between the parts of the product: pokes and questions that may be lost, never facts.

PostgreSQL is the truth; whoever misses a message finds out there. Topics are dotted lower-case words and ids.
"""

from csms.bus.port import Bus, BusUnavailable, Counted, Handler, NoAnswer

__all__ = ["Bus", "BusUnavailable", "Counted", "Handler", "NoAnswer"]
