"""Asks third parties over HTTP, for the gateways that ask over the bus (design 3.6)."""
