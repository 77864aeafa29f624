-- The token with this secret, if it may still be used. The time of use is kept to the minute.
-- $1 secret_sha256 bytea
WITH found AS (
    SELECT id, name, role, expires_at, last_used_at
    FROM api_tokens
    WHERE secret_sha256 = $1::bytea
        AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at > now())
), used AS (
    UPDATE api_tokens
    SET last_used_at = now()
    FROM found
    WHERE api_tokens.id = found.id
        AND (found.last_used_at IS NULL OR found.last_used_at < now() - interval '1 minute')
)
SELECT id, name, role, expires_at FROM found
