"""Other versions of OCPI by way of the one model inside, that of 2.2.1: pure conversions that say what gets lost.

*up* is from a partner's version into 2.2.1, *down* from 2.2.1 into a partner's version, whichever number is the higher.
Remarks that carry a version as their rule say what its difference to 2.2.1 has cost (digest, 20 to 22).
"""
