"""OCPP 2.0.1 edition 3, part 2, functional block A: security."""

from typing import Annotated

from schemas.annotations import DateTimeString, Text
from schemas.ocpp201.datatypes import StatusInfoType
from schemas.ocpp201.enums import CertificateSignedStatusEnumType, CertificateSigningUseEnumType, GenericStatusEnumType
from schemas.structs import ExtensibleObject


class CertificateSignedRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Deliver a signed station or V2G certificate. CSMS to station."""

    certificate_chain: Annotated[str, Text(max=10000)]  # PEM, leaf first then sub-CAs
    certificate_type: CertificateSigningUseEnumType | None = None  # absent = valid for both uses


class CertificateSignedResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to CertificateSignedRequest."""

    status: CertificateSignedStatusEnumType
    status_info: StatusInfoType | None = None


class SecurityEventNotificationRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Report a security event. Station to CSMS."""

    type: Annotated[str, Text(max=50)]  # a name from the standard's list of security events, or own
    timestamp: DateTimeString
    tech_info: Annotated[str, Text(max=255)] | None = None  # detail


class SecurityEventNotificationResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to SecurityEventNotificationRequest."""


class SignCertificateRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Hand in a CSR. Station to CSMS."""

    csr: Annotated[str, Text(max=5500)]  # PEM PKCS#10
    certificate_type: CertificateSigningUseEnumType | None = None  # absent = ChargingStationCertificate


class SignCertificateResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to SignCertificateRequest."""

    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None
