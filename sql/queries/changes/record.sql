-- Records an administrative change, in the transaction that makes it.
-- $1 who text · $2 address text · $3 what text · $4 object text · $5 detail jsonb
INSERT INTO changes (who, address, what, object, detail)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::jsonb)
