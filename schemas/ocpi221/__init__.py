"""OCPI 2.2.1: its types, how partners' JSON is read and ours is written, and what of its transport is pure.

Rule ids in docstrings and remarks (B1, Z7, ...) are those of our digest of the standard: B base types, T A S G W
transport, V versions, C credentials, I HubClientInfo, L locations, E sessions, D CDRs, F P tariffs, K tokens, M commands,
Q charging profiles, Z pitfalls seen at partners.
"""
