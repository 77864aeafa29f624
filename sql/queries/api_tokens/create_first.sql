-- The first administrator, unless there has ever been a token.
-- $1 id uuid · $2 secret_sha256 bytea
INSERT INTO api_tokens (id, name, role, secret_sha256, created_by)
SELECT $1::uuid, 'admin', 'admin', $2::bytea, 'server'
WHERE NOT EXISTS (SELECT FROM api_tokens)
RETURNING id
