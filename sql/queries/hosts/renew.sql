-- Notes the newest certificate of a host; nothing when it is unknown or revoked.
-- $1 id uuid · $2 certificate_serial text · $3 certificate_expires_at timestamptz
UPDATE hosts
SET certificate_serial = $2::text, certificate_expires_at = $3::timestamptz
WHERE id = $1::uuid AND revoked_at IS NULL
RETURNING id
