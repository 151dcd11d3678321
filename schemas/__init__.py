"""Every contract of Open-CSMS: the OCPP messages per version, as typed definitions all other forms are derived from."""
