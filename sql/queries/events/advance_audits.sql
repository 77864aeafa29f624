-- Where the audits of some hosts end now.
-- $1 host_ids uuid[] · $2 acknowledged bigint[] · $3 chains bytea[]
UPDATE audits
SET acknowledged = ended.acknowledged, chain = ended.chain
FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) AS ended (host_id, acknowledged, chain)
WHERE audits.host_id = ended.host_id
