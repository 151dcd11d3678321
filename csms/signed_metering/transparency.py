"""The file that the transparency software of S.A.F.E. e.V. reads (its XML_Format.md): signed values with their public keys."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from csms.signed_metering.containers import SignedValue, container_of, encoding_of
from csms.signed_metering.public_keys import BadPublicKey, der, read_public_key

_FORMATS: Final = {
    "ocmf": "OCMF",
    "pcdf": "PCDF",
    "alfeneichrecht": "ALFEN",
    "alfen": "ALFEN",
    "edl40emobilityextension": "EDL_40_P",
    "edl40p": "EDL_40_P",
    "edl40sig": "EDL_40_SIG",
    "edl40mennekes": "EDL_40_MENNEKES",
    "isaedl40p": "ISA_EDL_40_P",
}
"""Names of encoding methods, letters and digits alone, to the formats of the software."""

_changed_by_xml: Final = re.compile(r"\A\s|\s\Z|\r|[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]").search


def transparency_xml(values: Iterable[tuple[SignedValue, str | None]], transaction_id: str) -> bytes:
    """The file of a session's values, each with its public key. The software looks at values with one number as one transaction."""
    number = transaction_id if re.fullmatch(r"[0-9]{1,18}", transaction_id) else "1"
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<values>"]
    for value, key in values:
        encoding, text = _written(value.signed_data)
        name = _FORMATS.get(re.sub(r"[^a-z0-9]", "", (value.encoding_method or "").lower()))
        form = "" if name is None else f" format={quoteattr(name)}"
        lines.append(f' <value transactionId="{number}" context={quoteattr(value.context)}>')
        lines.append(f'  <signedData{form} encoding="{encoding}">{escape(text)}</signedData>')
        if key is not None:
            lines.append(_key_element(key))
        lines.append(" </value>")
    lines += ["</values>", ""]
    return "\n".join(lines).encode()


def _written(signed_data: str) -> tuple[str, str]:
    """The container as it is where XML leaves it alone: it is signed, blanks included."""
    encoding, container = encoding_of(signed_data), container_of(signed_data)
    if encoding == "plain" or container.lstrip().startswith(b"OCMF|"):
        text = container.decode(errors="replace")
        if text.encode() == container and not _changed_by_xml(text):
            return "plain", text
        return "base64", base64.b64encode(container).decode()
    return encoding, signed_data


def _key_element(text: str) -> str:
    try:
        return f'  <publicKey encoding="hex">{der(read_public_key(text)).hex().upper()}</publicKey>'
    except BadPublicKey:
        return f'  <publicKey encoding="plain">{escape(_clean(text))}</publicKey>'


def _clean(text: str) -> str:
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
