-- A station is looked up by its identity for every command. The index on lower(identity) is not used under row-level security, whose
-- conditions come before functions that are not leakproof: the look-up read every station of the tenant.
CREATE INDEX stations_by_identity ON stations (tenant_id, identity);
