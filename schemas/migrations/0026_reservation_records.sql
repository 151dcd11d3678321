-- A reservation that nobody came for has a record of its own where its tariff has a price for that: then there is no session.
ALTER TABLE cdrs
    ALTER COLUMN session_id DROP NOT NULL,
    ADD COLUMN reservation_id integer,
    ADD CHECK ((session_id IS NULL) <> (reservation_id IS NULL));
CREATE UNIQUE INDEX cdrs_reservation ON cdrs (tenant_id, reservation_id, revision) WHERE reservation_id IS NOT NULL;
-- the ledger need not know more of records than which reservations have theirs
GRANT SELECT (tenant_id, reservation_id) ON cdrs TO csms_gateway;

-- Billing follows the reservations that expire, too.
DROP INDEX outbox_billing;
CREATE INDEX outbox_billing ON outbox (xid, id)
    WHERE type IN ('reservation.expired', 'session.started', 'session.ended', 'session.corrected', 'session.settled');
