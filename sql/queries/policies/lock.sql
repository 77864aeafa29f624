-- Locks a policy and gives its newest version. The text is read after: a join here would be looked
-- at again with the texts from before the wait.
-- $1 name text
SELECT version FROM policies WHERE name = $1::text FOR UPDATE
