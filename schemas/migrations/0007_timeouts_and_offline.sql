-- Stations may have a time-out of their own for our CALLs, and are told to be offline only when they stay away.

ALTER TABLE stations
    -- seconds in which the station answers a CALL; NULL: those of the gateway's setting (rule T4)
    ADD COLUMN call_timeout_s smallint CHECK (call_timeout_s BETWEEN 5 AND 300),
    -- the epoch of the newest connection after which the station was told to be offline; new stations begin as offline
    ADD COLUMN offline_epoch bigint NOT NULL DEFAULT 0;
UPDATE stations SET offline_epoch = connection_epoch WHERE connected_process IS NULL;
CREATE INDEX stations_gone ON stations (disconnected_at) WHERE connected_process IS NULL AND offline_epoch < connection_epoch;
