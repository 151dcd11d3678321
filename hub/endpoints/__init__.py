"""The endpoints, one module per resource; `hub.routes` puts their tables together."""
