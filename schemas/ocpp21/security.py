"""OCPP 2.1, part 2, functional block A: security."""

from typing import Annotated

from schemas.annotations import Text
from schemas.ocpp21.datatypes import StatusInfoType
from schemas.ocpp21.enums import CertificateSigningUseEnumType
from schemas.ocpp201.datatypes import CertificateHashDataType
from schemas.ocpp201.enums import CertificateSignedStatusEnumType, GenericStatusEnumType
from schemas.structs import ExtensibleObject


class CertificateSignedRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Deliver a signed station or V2G certificate. CSMS to station."""

    certificate_chain: Annotated[str, Text(max=10000)]  # PEM, leaf first then sub-CAs
    certificate_type: CertificateSigningUseEnumType | None = None  # absent = valid for both uses
    request_id: int | None = None  # as in SignCertificate


class CertificateSignedResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to CertificateSignedRequest."""

    status: CertificateSignedStatusEnumType
    status_info: StatusInfoType | None = None


class SignCertificateRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Hand in a CSR. Station to CSMS."""

    csr: Annotated[str, Text(max=5500)]  # PEM PKCS#10
    certificate_type: CertificateSigningUseEnumType | None = None  # absent = ChargingStationCertificate
    hash_root_certificate: CertificateHashDataType | None = None  # root that should sign
    request_id: int | None = None  # matches CertificateSigned


class SignCertificateResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to SignCertificateRequest."""

    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None
