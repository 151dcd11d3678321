"""OCPP 2.1, part 2, functional block M: ISO 15118 certificate management."""

from typing import Annotated

from msgspec import field

from schemas.annotations import Items, Range, Text
from schemas.ocpp21.datatypes import (
    CertificateHashDataChainType,
    CertificateStatusRequestInfoType,
    CertificateStatusType,
    OCSPRequestDataType,
    StatusInfoType,
)
from schemas.ocpp21.enums import GetCertificateIdUseEnumType, InstallCertificateUseEnumType
from schemas.ocpp201.enums import (
    CertificateActionEnumType,
    DeleteCertificateStatusEnumType,
    GetCertificateStatusEnumType,
    GetInstalledCertificateStatusEnumType,
    InstallCertificateStatusEnumType,
    Iso15118EVCertificateStatusEnumType,
)
from schemas.structs import ExtensibleObject


class DeleteCertificateResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to DeleteCertificateRequest."""

    status: DeleteCertificateStatusEnumType
    status_info: StatusInfoType | None = None


class Get15118EVCertificateRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Forward an EV contract certificate request (EXI) to the back end. Station to CSMS."""

    iso15118_schema_version: Annotated[str, Text(max=50)]  # URN of the 15118 schema in use
    action: CertificateActionEnumType
    exi_request: Annotated[str, Text(max=11000)]  # base64 EXI
    maximum_contract_certificate_chains: Annotated[int, Range(min=0)] | None = None  # 15118-20 only
    prioritized_emaids: Annotated[list[Annotated[str, Text(max=255)]], Items(min=1, max=8)] | None = field(
        default=None, name="prioritizedEMAIDs"
    )  # wanted first


class Get15118EVCertificateResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to Get15118EVCertificateRequest."""

    status: Iso15118EVCertificateStatusEnumType
    exi_response: Annotated[str, Text(max=17000)]
    status_info: StatusInfoType | None = None
    remaining_contracts: Annotated[int, Range(min=0)] | None = None  # ask again for these


class GetCertificateStatusRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask for the OCSP status of a certificate. Station to CSMS."""

    ocsp_request_data: OCSPRequestDataType


class GetCertificateStatusResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetCertificateStatusRequest."""

    status: GetCertificateStatusEnumType
    status_info: StatusInfoType | None = None
    ocsp_result: Annotated[str, Text(max=18000)] | None = None  # base64 of the DER OCSP response


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
    certificate: Annotated[str, Text(max=10000)]  # PEM


class InstallCertificateResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to InstallCertificateRequest."""

    status: InstallCertificateStatusEnumType
    status_info: StatusInfoType | None = None


class GetCertificateChainStatusRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask for OCSP/CRL status of up to four certificates of a vehicle chain. Station to CSMS."""

    certificate_status_requests: Annotated[list[CertificateStatusRequestInfoType], Items(min=1, max=4)]


class GetCertificateChainStatusResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetCertificateChainStatusRequest."""

    certificate_status: Annotated[list[CertificateStatusType], Items(min=1, max=4)]
