"""OCPI 2.2: where it differs from 2.2.1 (digest, end of 20)."""
