-- All tokens, newest first.
SELECT
    id, description, uses, uses_max, created_at, created_by, expires_at,
    CASE
        WHEN revoked_at IS NOT NULL THEN 'revoked'
        WHEN uses >= uses_max THEN 'used_up'
        WHEN expires_at <= now() THEN 'expired'
        ELSE 'valid'
    END AS state
FROM enrollment_tokens
ORDER BY created_at DESC, id
LIMIT 10000
