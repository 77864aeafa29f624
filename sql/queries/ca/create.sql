-- Keeps a new CA, unless another server was first.
-- $1 certificate_pem text · $2 key bytea · $3 key_sealed boolean
INSERT INTO ca (certificate_pem, key, key_sealed)
VALUES ($1::text, $2::bytea, $3::boolean)
ON CONFLICT DO NOTHING
