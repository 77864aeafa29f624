-- Ends a token; nothing when it is unknown.
-- $1 id uuid
UPDATE enrollment_tokens
SET revoked_at = COALESCE(revoked_at, now())
WHERE id = $1::uuid
RETURNING id
