-- Bars a host for ever; nothing when it is unknown.
-- $1 id uuid
UPDATE hosts
SET revoked_at = COALESCE(revoked_at, now())
WHERE id = $1::uuid
RETURNING hostname
