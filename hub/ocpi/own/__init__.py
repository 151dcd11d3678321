"""The modules of our own tenants: what a partner, or another tenant of ours, may ask them."""
