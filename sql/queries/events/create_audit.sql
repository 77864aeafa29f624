-- The beginning of a new host's audit.
-- $1 host_id uuid
INSERT INTO audits (host_id) VALUES ($1::uuid)
