-- Who reads the outbox for which sink, and how far it has come (design 4).

-- One row per sink. Whoever holds the lease reads; the position moves only while it does.
CREATE TABLE outbox_readers (
    sink         text PRIMARY KEY CHECK (length(sink) BETWEEN 1 AND 100),
    owner        uuid,
    leased_until timestamptz,
    -- the last event that the sink has taken
    xid          xid8 NOT NULL DEFAULT '0',
    id           bigint NOT NULL DEFAULT 0,
    updated_at   timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON outbox_readers TO csms_gateway;

-- Readers go through the events of all tenants in this order. Rows come at its right end, which costs the writer little.
CREATE INDEX outbox_reading ON outbox (xid, id);
