"""A model of the store: the ledger's port in memory, with transactions, locks, crashes and a hook at every step.

Held to PostgreSQL by tests/simulation/test_model_is_postgres.py.
"""

from tests.simulation.model.database import Behaviour, ModelDatabase

__all__ = ["Behaviour", "ModelDatabase"]
