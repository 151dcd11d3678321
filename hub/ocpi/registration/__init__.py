"""Becoming partners: versions, credentials, and what an operator does about it (digest, chapters 5 and 6)."""
