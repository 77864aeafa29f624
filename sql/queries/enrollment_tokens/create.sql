-- A new token.
-- $1 id uuid · $2 secret_sha256 bytea · $3 description text · $4 uses_max int
-- $5 created_by text · $6 expires_in_s double
INSERT INTO enrollment_tokens
    (id, secret_sha256, description, uses_max, created_by, expires_at)
VALUES
    ($1::uuid, $2::bytea, $3::text, $4::int, $5::text, now() + make_interval(secs => $6::float8))
RETURNING id, description, uses, uses_max, created_at, created_by, expires_at, 'valid' AS state
