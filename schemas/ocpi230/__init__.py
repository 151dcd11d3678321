"""OCPI 2.3.0 (core): its types, as far as they are not those of 2.2.1, and the conversion to and from 2.2.1 (digest, 20, 22)."""
