-- The outbox takes most of what writing a meter reading costs. Its events are only ever handed on as they are: as text they need not be
-- taken apart, which saved a fifth of the database's CPU for a reading. The key is that of the tenant's position, which had an index of
-- its own. This rewrites the table, a minute for every ten million events: messages of stations wait for so long.
ALTER TABLE outbox DROP CONSTRAINT outbox_pkey;
DROP INDEX outbox_position;
ALTER TABLE outbox ALTER COLUMN data TYPE json;
ALTER TABLE outbox ADD PRIMARY KEY (tenant_id, xid, id);
