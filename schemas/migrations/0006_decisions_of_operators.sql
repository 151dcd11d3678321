-- What a person decides about sessions and messages that could not be settled by themselves: who, when and why is kept.

ALTER TABLE sessions
    -- the flags that a person has looked into: a session is in doubt while it has one of the flags below that is not here
    ADD COLUMN settled_flags text[] NOT NULL DEFAULT '{}';
-- Most sessions have no flag and are not in here. No GIN index on flags: under row-level security its operator is not used.
CREATE INDEX sessions_flagged ON sessions (tenant_id, session_id) WHERE flags <> '{}';
-- the flags of csms.domain.session_flags.DOUBTS
CREATE INDEX sessions_in_doubt ON sessions (tenant_id, session_id) WHERE
    ('conflict' = ANY (flags) AND NOT 'conflict' = ANY (settled_flags))
    OR ('stop_missing' = ANY (flags) AND NOT 'stop_missing' = ANY (settled_flags))
    OR ('events_lost' = ANY (flags) AND NOT 'events_lost' = ANY (settled_flags))
    OR ('suspect' = ANY (flags) AND NOT 'suspect' = ANY (settled_flags))
    OR ('reused_id' = ANY (flags) AND NOT 'reused_id' = ANY (settled_flags))
    OR ('unauthorized' = ANY (flags) AND NOT 'unauthorized' = ANY (settled_flags));

ALTER TABLE transaction_events
    -- of an event in conflict: first (what billed goes on billing) or other (this one bills)
    ADD COLUMN resolution text,
    ADD COLUMN resolution_reason text,
    ADD COLUMN resolved_by text,
    ADD COLUMN resolved_at timestamptz;
GRANT UPDATE (resolution, resolution_reason, resolved_by, resolved_at) ON transaction_events TO csms_hub;

ALTER TABLE quarantine
    -- the session that the newest order to take the message again attaches it to, and why
    ADD COLUMN attach_session_id uuid,
    ADD COLUMN attach_reason text;
