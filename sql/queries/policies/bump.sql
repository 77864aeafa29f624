-- Counts a change of what holds anywhere, and tells every server of it on commit.
WITH bumped AS (
    UPDATE policy_revision SET revision = revision + 1 RETURNING revision
)
SELECT revision, pg_notify('tyr_policies', revision::text)::text AS told FROM bumped
