"""Looks whether a partner's platform keeps to OCPI 2.2.1: asks what can be asked without changing anything there, and reports point
by point."""
