"""Types that several modules share (OCPI 2.2.1, types and the role enumeration)."""

from decimal import Decimal
from typing import Annotated, Literal

from schemas.ocpi221.base import Language, OcpiObject, Text

Role = Literal["CPO", "EMSP", "HUB", "NAP", "NSP", "OTHER", "SCSP"]
# REGULAR: no preference; used by charging preferences and tokens.
ProfileType = Literal["CHEAP", "FAST", "GREEN", "REGULAR"]
TokenType = Literal["AD_HOC_USER", "APP_USER", "OTHER", "RFID"]


class DisplayText(OcpiObject, frozen=True, kw_only=True):
    """A text for people, plain, without markup."""

    language: Language
    text: Annotated[str, Text(max=512)]


class Price(OcpiObject, frozen=True, kw_only=True):
    """An amount of money. `incl_vat` absent: VAT is not stated, which is not the same as no VAT."""

    excl_vat: Decimal
    incl_vat: Decimal | None = None
