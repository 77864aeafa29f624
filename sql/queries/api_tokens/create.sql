-- A new token.
-- $1 id uuid · $2 name text · $3 role text · $4 secret_sha256 bytea · $5 created_by text
-- $6 expires_in_s double (null: never)
INSERT INTO api_tokens (id, name, role, secret_sha256, created_by, expires_at)
VALUES
    ($1::uuid, $2::text, $3::text, $4::bytea, $5::text, now() + make_interval(secs => $6::float8))
RETURNING id, name, role, created_at, created_by, expires_at, last_used_at, 'valid' AS state
