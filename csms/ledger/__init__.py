"""The ledger: what stations report becomes durable here before anybody is told (design 3, 4)."""

from csms.ledger.ledger import Ledger, LedgerClosed, LedgerFull

__all__ = ["Ledger", "LedgerClosed", "LedgerFull"]
