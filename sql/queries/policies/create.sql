-- The row of a policy at version 1, unless it is there.
-- $1 name text
INSERT INTO policies (name, version) VALUES ($1::text, 1)
ON CONFLICT DO NOTHING
RETURNING version
