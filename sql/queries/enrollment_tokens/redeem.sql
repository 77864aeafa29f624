-- Takes one use of a valid token, or nothing. The row lock makes two redeems of the last use
-- wait for each other, and the second sees that none is left.
-- $1 secret_sha256 bytea
UPDATE enrollment_tokens
SET uses = uses + 1
WHERE secret_sha256 = $1::bytea
    AND revoked_at IS NULL
    AND expires_at > now()
    AND uses < uses_max
RETURNING id, created_by
