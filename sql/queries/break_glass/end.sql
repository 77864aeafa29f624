-- Ends it for a host; nothing when it has none that holds.
-- $1 host_id uuid
DELETE FROM break_glass WHERE host_id = $1::uuid
RETURNING ends_at > now() AS held
