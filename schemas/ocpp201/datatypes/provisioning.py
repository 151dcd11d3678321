"""Object datatypes of OCPP 2.0.1: the station itself and its ways to the CSMS."""

from typing import Annotated

from schemas.annotations import Text
from schemas.ocpp201.enums import (
    APNAuthenticationEnumType,
    OCPPInterfaceEnumType,
    OCPPTransportEnumType,
    OCPPVersionEnumType,
    VPNEnumType,
)
from schemas.structs import ExtensibleObject


class ModemType(ExtensibleObject, frozen=True, kw_only=True):
    """The SIM of the station's modem."""

    iccid: Annotated[str, Text(max=20)] | None = None
    imsi: Annotated[str, Text(max=20)] | None = None


class ChargingStationType(ExtensibleObject, frozen=True, kw_only=True):
    """What the station is."""

    model: Annotated[str, Text(max=20)]
    vendor_name: Annotated[str, Text(max=50)]
    serial_number: Annotated[str, Text(max=25)] | None = None
    modem: ModemType | None = None
    firmware_version: Annotated[str, Text(max=50)] | None = None  # running firmware


class APNType(ExtensibleObject, frozen=True, kw_only=True):
    """Access point and credentials of a mobile network."""

    apn: Annotated[str, Text(max=512)]
    apn_authentication: APNAuthenticationEnumType
    apn_user_name: Annotated[str, Text(max=20)] | None = None
    apn_password: Annotated[str, Text(max=20)] | None = None
    sim_pin: int | None = None
    preferred_network: Annotated[str, Text(max=6)] | None = None  # MCC+MNC digits
    use_only_preferred_network: bool | None = None  # no roaming elsewhere (default false)


class VPNType(ExtensibleObject, frozen=True, kw_only=True):
    """A virtual private network and its credentials."""

    server: Annotated[str, Text(max=512)]
    user: Annotated[str, Text(max=20)]
    password: Annotated[str, Text(max=20)]
    key: Annotated[str, Text(max=255)]  # shared secret
    type: VPNEnumType
    group: Annotated[str, Text(max=20)] | None = None


class NetworkConnectionProfileType(ExtensibleObject, frozen=True, kw_only=True):
    """How the station reaches a CSMS; it keeps at least two of them."""

    ocpp_version: OCPPVersionEnumType  # kept for compatibility; sub-protocol decides
    ocpp_transport: OCPPTransportEnumType  # JSON in practice
    ocpp_csms_url: Annotated[str, Text(max=512)]  # endpoint without the station id
    message_timeout: int  # s
    security_profile: int  # 1..3, not below the current one
    ocpp_interface: OCPPInterfaceEnumType
    apn: APNType | None = None
    vpn: VPNType | None = None
