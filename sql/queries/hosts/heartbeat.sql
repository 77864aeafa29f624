-- What a host says about itself; nothing when it is unknown or revoked. Labels can decide which
-- policies hold, so whether they changed is answered.
-- $1 id uuid · $2 version text · $3 kernel text · $4 boot_id text · $5 enforcement text
-- $6 limits text[] · $7 policy_revision bigint · $8 generation bigint · $9 policy_problems text[]
-- $10 counters jsonb · $11 labels jsonb · $12 hostname text
WITH before AS (
    SELECT id, labels FROM hosts WHERE id = $1::uuid AND revoked_at IS NULL FOR UPDATE
)
UPDATE hosts
SET last_seen_at = now(),
    version = $2::text,
    kernel = $3::text,
    boot_id = $4::text,
    enforcement = $5::text,
    limits = $6::text[],
    policy_revision = $7::bigint,
    generation = $8::bigint,
    policy_problems = $9::text[],
    counters = $10::jsonb,
    labels = $11::jsonb,
    hostname = CASE WHEN $12::text = '' THEN hosts.hostname ELSE $12::text END
FROM before
WHERE hosts.id = before.id
RETURNING before.labels IS DISTINCT FROM $11::jsonb AS relabelled
