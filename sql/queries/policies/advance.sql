-- Makes a version the newest one.
-- $1 name text · $2 version bigint
UPDATE policies SET version = $2::bigint WHERE name = $1::text
