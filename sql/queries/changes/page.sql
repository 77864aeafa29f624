-- Changes, newest first, one page.
-- $1 before bigint (null: from the newest) · $2 limit bigint
SELECT id, time, who, address, what, object, detail
FROM changes
WHERE $1::bigint IS NULL OR id < $1::bigint
ORDER BY id DESC
LIMIT $2::bigint
