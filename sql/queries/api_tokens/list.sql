-- All tokens, newest first.
SELECT
    id, name, role, created_at, created_by, expires_at, last_used_at,
    CASE
        WHEN revoked_at IS NOT NULL THEN 'revoked'
        WHEN expires_at <= now() THEN 'expired'
        ELSE 'valid'
    END AS state
FROM api_tokens
ORDER BY created_at DESC, id
LIMIT 10000
