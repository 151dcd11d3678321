"""Meter values that their meter has signed, kept as received, and checked as German calibration law asks for (OCMF 1.4.1). Pure."""

from csms.signed_metering.checks import Check, Result, check_values
from csms.signed_metering.containers import Nature, SignedValue, read_signed_value
from csms.signed_metering.ocmf import BadOcmf, Ocmf, read_ocmf
from csms.signed_metering.public_keys import BadPublicKey, MeterKey, curve_name, key_for, read_public_key
from csms.signed_metering.transparency import transparency_xml

__all__ = [
    "BadOcmf",
    "BadPublicKey",
    "Check",
    "MeterKey",
    "Nature",
    "Ocmf",
    "Result",
    "SignedValue",
    "check_values",
    "curve_name",
    "key_for",
    "read_ocmf",
    "read_public_key",
    "read_signed_value",
    "transparency_xml",
]
