"""OCMF data sets as a meter signs them, with keys made for the test."""

from __future__ import annotations

import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CURVES: dict[str, ec.EllipticCurve] = {
    "ECDSA-secp256r1-SHA256": ec.SECP256R1(),
    "ECDSA-secp256k1-SHA256": ec.SECP256K1(),
    "ECDSA-secp384r1-SHA256": ec.SECP384R1(),
    "ECDSA-brainpool256r1-SHA256": ec.BrainpoolP256R1(),
    "ECDSA-brainpool384r1-SHA256": ec.BrainpoolP384R1(),
}


class SigningMeter:
    """Signs readings one after the other."""

    def __init__(self, algorithm: str = "ECDSA-secp256r1-SHA256", serial: str = "BQ27400330016") -> None:
        self._algorithm = algorithm
        self._serial = serial
        self._key = ec.generate_private_key(CURVES[algorithm])
        self.page = 11

    @property
    def public_key(self) -> str:
        """In hexadecimal digits, as on the type plate."""
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()

    def sign(self, payload: str, **signature: str) -> str:
        signed = self._key.sign(payload.encode(), ec.ECDSA(hashes.SHA256())).hex()
        section = {"SA": self._algorithm, "SD": signed, **signature}
        return f"OCMF|{payload}|{json.dumps(section)}"

    def container(self, reason: str, register: str, *, token: str = "1F2D3A4F5506C7", **changes: Any) -> str:
        """`register` in kWh, digit by digit; `changes` are those of the reading, and of the payload where the name is in capitals
        of more than a reading's."""
        self.page += 1
        reading = {"TM": "2026-03-01T11:00:00,000+0100 S", "TX": reason, "RI": "1-b:1.8.0", "RU": "kWh", "EF": "", "ST": "G"}
        payload = {"FV": "1.0", "PG": f"T{self.page}", "MS": self._serial, "IS": True, "IT": "ISO14443", "ID": token}
        for name, value in changes.items():
            (reading if name in reading else payload)[name] = value
        text = json.dumps({**payload, "RD": [reading]})
        return self.sign(text.replace('"RI"', f'"RV": {register}, "RI"', 1))
