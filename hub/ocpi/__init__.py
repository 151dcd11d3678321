"""OCPI over HTTP: the server, the client, registration, the modules of our own tenants, and the hub's routing."""
