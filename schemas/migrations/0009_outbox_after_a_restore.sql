-- Readers follow the transaction numbers of the cluster. A dump that is restored into another cluster brings higher numbers than that
-- cluster gives: new events would sort before those already read, and restored ones would never be old enough. So the numbers come from
-- here, and `csms migrate` makes these functions add what is missing.
CREATE FUNCTION outbox_xid() RETURNS xid8
LANGUAGE sql VOLATILE AS $$ SELECT pg_current_xact_id() $$;

-- Events below this can no longer be joined by earlier ones.
CREATE FUNCTION outbox_horizon() RETURNS xid8
LANGUAGE sql STABLE AS $$ SELECT pg_snapshot_xmin(pg_current_snapshot()) $$;

ALTER TABLE outbox ALTER COLUMN xid SET DEFAULT outbox_xid();
