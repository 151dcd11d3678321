"""The model of the store and PostgreSQL side by side: the same operations for both, and all that can be seen of either."""
