"""Reservations of places at stations: made, replaced, cancelled. How they end is seen by csms.ledger and by the upkeep."""
