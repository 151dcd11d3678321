-- A partner's reservation is told to it as a session (OCPI, E5), which goes on as the one that begins with it.
ALTER TABLE reservations
    -- the id by which it is told; NULL: no partner asked for it
    ADD COLUMN ocpi_session_id uuid,
    -- when its station took it first
    ADD COLUMN made_at timestamptz,
    -- when it ended unused; a session that tells of its use later begins anew for partners
    ADD COLUMN ended_at timestamptz;
CREATE UNIQUE INDEX reservations_session ON reservations (tenant_id, ocpi_session_id) WHERE ocpi_session_id IS NOT NULL;

-- Whoever follows the events for partners reads those of reservations too.
DROP INDEX outbox_roaming;
CREATE INDEX outbox_roaming ON outbox (tenant_id, xid, id)
    WHERE type IN ('cdr.created', 'location.changed', 'reservation.cancelled', 'reservation.expired', 'reservation.made',
        'reservation.used', 'session.corrected', 'session.cost_updated', 'session.ended', 'session.settled', 'session.started',
        'station.changed', 'station.moved', 'station.offline', 'station.online', 'station.status', 'tariff.assigned',
        'tariff.changed', 'token.changed');
