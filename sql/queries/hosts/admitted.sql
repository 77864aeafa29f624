-- Whether a host may speak: a row with true, false when it is revoked, no row when unknown.
-- $1 id uuid
SELECT revoked_at IS NULL AS admitted FROM hosts WHERE id = $1::uuid
