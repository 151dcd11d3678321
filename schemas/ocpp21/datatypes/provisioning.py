"""Datatypes of OCPP 2.1, part 2: boot and network profiles."""

from typing import Annotated

from schemas.annotations import Range, Text
from schemas.ocpp21.enums import OCPPInterfaceEnumType, OCPPVersionEnumType
from schemas.ocpp201.enums import APNAuthenticationEnumType, OCPPTransportEnumType, VPNEnumType
from schemas.structs import ExtensibleObject


class APNType(ExtensibleObject, frozen=True, kw_only=True):
    """Access point and credentials of a mobile network."""

    apn: Annotated[str, Text(max=2000)]
    apn_authentication: APNAuthenticationEnumType
    apn_user_name: Annotated[str, Text(max=50)] | None = None
    apn_password: Annotated[str, Text(max=64)] | None = None
    sim_pin: int | None = None
    preferred_network: Annotated[str, Text(max=6)] | None = None  # MCC+MNC digits
    use_only_preferred_network: bool | None = None  # no roaming elsewhere (default false)


class VPNType(ExtensibleObject, frozen=True, kw_only=True):
    """A virtual private network and its credentials."""

    server: Annotated[str, Text(max=2000)]
    user: Annotated[str, Text(max=50)]
    password: Annotated[str, Text(max=64)]
    key: Annotated[str, Text(max=255)]  # shared secret
    type: VPNEnumType
    group: Annotated[str, Text(max=50)] | None = None


class NetworkConnectionProfileType(ExtensibleObject, frozen=True, kw_only=True):
    """How the station reaches a CSMS; it keeps at least two of them."""

    ocpp_transport: OCPPTransportEnumType  # JSON in practice
    ocpp_csms_url: Annotated[str, Text(max=2000)]  # endpoint without the station id
    message_timeout: int  # s
    security_profile: Annotated[int, Range(min=0)]  # 1..3, not below the current one
    ocpp_interface: OCPPInterfaceEnumType
    ocpp_version: OCPPVersionEnumType | None = None  # kept for compatibility; sub-protocol decides
    apn: APNType | None = None
    vpn: VPNType | None = None
    identity: Annotated[str, Text(max=48)] | None = None  # basic-auth user
    basic_auth_password: Annotated[str, Text(max=64)] | None = None  # for profile 1/2
