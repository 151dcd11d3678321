"""External authorization: a tenant may have a third party asked over HTTP whether a token may charge (requirement C3).

The process that holds the station asks a hub over the bus, and the hub asks the third party; without either the tenant's fallback
holds at once.
"""
