"""OCPP 2.0.1 edition 3, part 2, functional block M: ISO 15118 certificate management."""

from typing import Annotated

from schemas.annotations import Items, Text
from schemas.ocpp201.datatypes import (
    CertificateHashDataChainType,
    CertificateHashDataType,
    OCSPRequestDataType,
    StatusInfoType,
)
from schemas.ocpp201.enums import (
    CertificateActionEnumType,
    DeleteCertificateStatusEnumType,
    GetCertificateIdUseEnumType,
    GetCertificateStatusEnumType,
    GetInstalledCertificateStatusEnumType,
    InstallCertificateStatusEnumType,
    InstallCertificateUseEnumType,
    Iso15118EVCertificateStatusEnumType,
)
from schemas.structs import ExtensibleObject


class DeleteCertificateRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Remove one installed certificate. CSMS to station."""

    certificate_hash_data: CertificateHashDataType


class DeleteCertificateResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to DeleteCertificateRequest."""

    status: DeleteCertificateStatusEnumType
    status_info: StatusInfoType | None = None


class Get15118EVCertificateRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Forward an EV contract certificate request (EXI) to the back end. Station to CSMS."""

    iso15118_schema_version: Annotated[str, Text(max=50)]  # URN of the 15118 schema in use
    action: CertificateActionEnumType
    exi_request: Annotated[str, Text(max=5600)]  # base64 EXI


class Get15118EVCertificateResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to Get15118EVCertificateRequest."""

    status: Iso15118EVCertificateStatusEnumType
    # base64 EXI; length was 5600 in the first schema release, errata made it 7500
    exi_response: Annotated[str, Text(max=7500)]
    status_info: StatusInfoType | None = None


class GetCertificateStatusRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask for the OCSP status of a certificate. Station to CSMS."""

    ocsp_request_data: OCSPRequestDataType


class GetCertificateStatusResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetCertificateStatusRequest."""

    status: GetCertificateStatusEnumType
    status_info: StatusInfoType | None = None
    ocsp_result: Annotated[str, Text(max=5500)] | None = None  # base64 of the DER OCSP response


class GetInstalledCertificateIdsRequest(ExtensibleObject, frozen=True, kw_only=True):
    """List installed certificates. CSMS to station."""

    certificate_type: Annotated[list[GetCertificateIdUseEnumType], Items(min=1)] | None = None  # absent = all


class GetInstalledCertificateIdsResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetInstalledCertificateIdsRequest."""

    status: GetInstalledCertificateStatusEnumType
    status_info: StatusInfoType | None = None
    certificate_hash_data_chain: Annotated[list[CertificateHashDataChainType], Items(min=1)] | None = None


class InstallCertificateRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Install a root or sub-CA certificate. CSMS to station."""

    certificate_type: InstallCertificateUseEnumType
    certificate: Annotated[str, Text(max=5500)]  # PEM


class InstallCertificateResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to InstallCertificateRequest."""

    status: InstallCertificateStatusEnumType
    status_info: StatusInfoType | None = None
