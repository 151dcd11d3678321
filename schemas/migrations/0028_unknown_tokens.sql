-- Tokens that nobody has entered are kept up to a number, and counted before each: whatever else a tenant has.
CREATE INDEX id_tokens_unknown ON id_tokens (tenant_id) WHERE status = 'unknown';
